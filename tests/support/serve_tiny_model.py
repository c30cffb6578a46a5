"""Two tiny models with random weights, served by transformers' own OpenAI-compatible server: `sees` and `hears`.

Run as a script: `serve_tiny_model.py FOLDER PORT`. What they say is rubbish, but it comes from the prompt, the pixels
and the samples: the templates, processors, weights and the server are the library's.
"""

import os
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import manual_seed
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Config,
    WhisperFeatureExtractor,
)
from transformers.cli.transformers import main
from transformers.models.clip.image_processing_clip import CLIPImageProcessor

SIDE = 28
PATCH = 14
WIDTH = 16
SPECIAL = ["<pad>", "<s>", "</s>", "<image>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
# One token a byte: a prompt's length in tokens is then known without the model.
VOCABULARY = {token: number for number, token in enumerate([*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>"
    "{% elif part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}\n{% endfor %}assistant: "
)
# The server asks for 1024 tokens at least; the rising wish to end stops it after some thirty.
SAYS = GenerationConfig(
    do_sample=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, exponential_decay_length_penalty=(24, 2.0)
)
SPEAKS = {
    "vocab_size": len(VOCABULARY), "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32768,
    "initializer_range": 0.5,
}  # fmt: skip


def tokenizer(**special: str) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE(vocab=VOCABULARY, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>", extra_special_tokens=special
    )


def sees(folder: Path) -> None:
    """A LLaVA."""
    picture = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        image_processor=picture,
        tokenizer=tokenizer(image_token="<image>"),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    eye = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
    )
    config = LlavaConfig(vision_config=eye, text_config=LlamaConfig(**SPEAKS), image_token_index=VOCABULARY["<image>"])
    model = LlavaForConditionalGeneration(config)
    model.generation_config = SAYS
    model.save_pretrained(folder)


def hears(folder: Path) -> None:
    """A Qwen2-Audio."""
    special = {
        "audio_token": "<|AUDIO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    Qwen2AudioProcessor(
        feature_extractor=WhisperFeatureExtractor(feature_size=WIDTH),
        tokenizer=tokenizer(**special),
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    ear = {
        "num_mel_bins": WIDTH, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": WIDTH,
        "d_model": WIDTH,
    }  # fmt: skip
    config = Qwen2AudioConfig(
        audio_config=ear,
        text_config=Qwen2Config(**SPEAKS).to_dict(),
        audio_token_index=VOCABULARY["<|AUDIO|>"],
        pad_token_id=0,
    )
    model = Qwen2AudioForConditionalGeneration(config)
    model.generation_config = SAYS
    model.save_pretrained(folder)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    for name, make in (("sees", sees), ("hears", hears)):
        manual_seed(0)
        if not Path(name).exists():
            make(Path(name))
    sys.argv[1:] = ["serve", "--host", "127.0.0.1", "--port", sys.argv[2], "--device", "cpu"]
    main()
