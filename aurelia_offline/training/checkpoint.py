"""Creates the files of an untrained mini target: tokenizer, processor, and a Qwen2.5-Omni thinker with random weights.

Each sentence that every request repeats (the system text, the time labels of frames and sounds) is one token. A clip
then takes about 130 tokens instead of 400.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import prompts
from aurelia_core.models.local.content import ChatRequest
from aurelia_core.models.local.processor import ModelSenses
from aurelia_offline.training.features import FRAME_COUNT, MODEL_FRAME_HEIGHT, MODEL_RATE, SOUND_PART_SECONDS
from aurelia_offline.world import mini_world
from prompts.render import PROMPT_TEXTS
from targets import target_rows

SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_pad|>"]
MEDIA_TOKENS = {
    "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
}  # fmt: skip
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{% elif c['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MEL_BANDS, HOP_SAMPLES, FFT_SAMPLES = 64, 500, 1024
PIXEL_MEAN, PIXEL_STD = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)
"""Black maps to 0. With the usual mean, the black background would dominate the shapes on it."""
TEXT_CONFIG: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 2048, "tie_word_embeddings": True, "initializer_range": 0.05,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [6, 3, 7]},
}  # fmt: skip
VISION_CONFIG: dict[str, Any] = {
    "depth": 2, "hidden_size": 64, "intermediate_size": 160, "num_heads": 4, "out_hidden_size": 128,
    "fullatt_block_indexes": [0, 1], "window_size": 112, "initializer_range": 0.05,
}  # fmt: skip
AUDIO_CONFIG: dict[str, Any] = {
    "num_mel_bins": MEL_BANDS, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 256, "d_model": 96,
    "max_source_positions": 64, "n_window": 16, "output_dim": 128, "initializer_range": 0.05,
}  # fmt: skip
CLIP_SETTINGS = {"sees": "images", "height": MODEL_FRAME_HEIGHT, "frames": FRAME_COUNT, "output": 96}
"""The content of `clip.json`: how the model receives a clip. The feature extractor sets the length of a sound part."""


def world_clip_facts() -> dict[str, Any]:
    """The facts that the clip store reports for every clip of the mini world."""
    return {
        "id": "",
        "name": "",
        "duration": mini_world.CLIP_SECONDS,
        "width": mini_world.CLIP_WIDTH,
        "height": mini_world.CLIP_HEIGHT,
        "fps": float(mini_world.CLIP_FPS),
        "has_audio": True,
        "audio_seconds": mini_world.CLIP_SECONDS,
    }


def head_blocks() -> list[dict[str, str]]:
    """The content blocks of the clip, equal to those of `aurelia_core.models.local.content` (a test compares them)."""
    blocks: list[dict[str, str]] = [_text_block(f"{PROMPT_TEXTS.frames_heading(FRAME_COUNT)}\n")]
    for frame in range(FRAME_COUNT):
        blocks += [
            _text_block(_time_label((frame + 0.5) * mini_world.CLIP_SECONDS / FRAME_COUNT)),
            {"type": "image"},
            _text_block("\n"),
        ]
    for part in range(round(mini_world.CLIP_SECONDS / SOUND_PART_SECONDS)):
        blocks += [_text_block(_sound_label(part)), {"type": "audio"}, _text_block("\n")]
    return blocks


def make_request(text: str) -> ChatRequest:
    """The parts of a request that shows a clip of the mini world with the prompt `text`."""
    from aurelia_core.models.local.content import NO_PARTS
    from aurelia_core.models.media_request import MediaRequest

    clip: Any = world_clip_facts()
    shown = MediaRequest(clip=clip, frames=FRAME_COUNT)
    return ChatRequest(
        prompts.load_prompt("system"),
        shown,
        PROMPT_TEXTS.clip_facts(clip, []),
        NO_PARTS,
        [("user", text)],
        [],
        PROMPT_TEXTS,
    )


def single_token_phrases() -> list[str]:
    """The phrases that requests repeat word for word; each becomes one token."""
    row = target_rows()["mini"]
    clip: Any = world_clip_facts()
    before, _, _ = row.reasoning.lstrip().partition("{{reasoning}}")
    phrases = [
        *_sentences(prompts.load_prompt("system")),
        PROMPT_TEXTS.clip_facts(clip, []),
        before.strip(),
        row.short,
        row.choice,
        OWN_STEPS_REQUEST,
        "Finding:",
    ]
    phrases += [PROMPT_TEXTS.frames_heading(FRAME_COUNT)]
    phrases += [_time_label((frame + 0.5) * mini_world.CLIP_SECONDS / FRAME_COUNT) for frame in range(FRAME_COUNT)]
    phrases += [_sound_label(part) for part in range(round(mini_world.CLIP_SECONDS / SOUND_PART_SECONDS))]
    phrases += ["The dialogue about this clip so far:", "The question now:", "Q:", "A:"]
    phrases += ["Question:", "Suggested answer:", "Answer:", "system", "user", "assistant"]
    return phrases + [f"{number}." for number in range(1, 9)] + [f"{letter}." for letter in "ABCDEF"]


OWN_STEPS_REQUEST = "First write steps of your own."
"""The sentence after the question that asks the target for its own steps."""


def train_tokenizer(corpus: Iterable[str]) -> Any:
    """Train a byte-level BPE tokenizer on the text of the mini world; each repeated phrase is one token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core: Any = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640, special_tokens=[*SPECIAL_TOKENS, *MEDIA_TOKENS.values()], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator(corpus, trainer)
    kind: Any = PreTrainedTokenizerFast
    tokenizer: Any = kind(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=MEDIA_TOKENS,
        model_max_length=2048,
    )  # fmt: skip
    tokenizer.add_tokens([AddedToken(phrase, normalized=False, special=False) for phrase in single_token_phrases()])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_feature_extractor() -> Any:
    """The audio feature extractor: 64 mel bands, one step every 31 ms, parts of one second."""
    from transformers import WhisperFeatureExtractor

    kind: Any = WhisperFeatureExtractor
    return kind(
        feature_size=MEL_BANDS,
        sampling_rate=MODEL_RATE,
        hop_length=HOP_SAMPLES,
        n_fft=FFT_SAMPLES,
        chunk_length=int(SOUND_PART_SECONDS),
        return_attention_mask=True,
    )


def make_thinker(tokenizer: Any, seed: int) -> Any:
    """The Qwen2.5-Omni thinker with random weights, from `seed`."""
    import torch
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    ids = tokenizer.convert_tokens_to_ids
    known = {"vocab_size": len(tokenizer)}
    known |= {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    config: Any = Qwen2_5OmniThinkerConfig(
        text_config={**known, **TEXT_CONFIG},
        vision_config=VISION_CONFIG, audio_config=AUDIO_CONFIG, tie_word_embeddings=True,
        audio_token_index=ids("<|AUDIO|>"), image_token_index=ids("<|IMAGE|>"), video_token_index=ids("<|VIDEO|>"),
        audio_start_token_id=ids("<|audio_bos|>"), audio_end_token_id=ids("<|audio_eos|>"), user_token_id=ids("user"),
    )  # fmt: skip
    config.vision_start_token_id = ids("<|vision_bos|>")
    config.vision_end_token_id = ids("<|vision_eos|>")
    config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(seed)
    thinker: Any = Qwen2_5OmniThinkerForConditionalGeneration(config)
    thinker.generation_config.eos_token_id = tokenizer.eos_token_id
    thinker.generation_config.pad_token_id = tokenizer.pad_token_id
    return thinker


def save_checkpoint(folder: Path, thinker: Any, tokenizer: Any) -> Path:
    """Write the weights, the tokenizer, the processor and `clip.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    thinker.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    from transformers import Qwen2VLImageProcessorPil

    pixels = MODEL_FRAME_HEIGHT * round(mini_world.CLIP_WIDTH * MODEL_FRAME_HEIGHT / mini_world.CLIP_HEIGHT)
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": pixels, "longest_edge": pixels})
    known = {**pictures.to_dict(), **make_feature_extractor().to_dict(), "processor_class": "Qwen2_5OmniProcessor"}
    known |= {"image_mean": PIXEL_MEAN, "image_std": PIXEL_STD}
    known["image_processor_type"] = "Qwen2VLImageProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(known, default=str, indent=1))
    (folder / "clip.json").write_text(json.dumps(CLIP_SETTINGS, indent=1))
    return folder


def model_senses() -> ModelSenses:
    """How the checkpoint receives a clip: as images and sound parts."""
    from aurelia_core.models.capabilities import WeightsFamily

    return ModelSenses(
        "images", True, False, MODEL_RATE, SOUND_PART_SECONDS, WeightsFamily(sees="images", height=MODEL_FRAME_HEIGHT)
    )


def _time_label(seconds: float) -> str:
    return f"at {seconds:.2f} s: "


def _sound_label(part: int) -> str:
    return f"The clip's sound, {part * SOUND_PART_SECONDS:.2f}-{(part + 1) * SOUND_PART_SECONDS:.2f} s: "


def _sentences(text: str) -> list[str]:
    """The sentences of a text, word for word, without the spaces between them."""
    import re

    return re.findall(r"\S[^.;]*[.;]", text)


def _text_block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
