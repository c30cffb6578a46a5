"""Tiny random parts that several of the research models load: LLaMA and T5 with SentencePiece tokenizers, and BERT."""

from pathlib import Path

WORDS = "what is heard and seen in this clip human assistant the sound of a bell which colour fills picture answer\n"


def write_words(folder: Path) -> None:
    """Writes tokenizer.model."""
    import sentencepiece

    (folder / "text").write_text(WORDS * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "tokenizer"), vocab_size=300, model_type="bpe",
        byte_fallback=True, hard_vocab_limit=False,
    )  # fmt: skip


def write_llama(folder: Path) -> int:
    """Writes model and tokenizer; returns the width of its hidden states."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

    folder.mkdir(parents=True)
    write_words(folder)
    tokenizer = LlamaTokenizer(str(folder / "tokenizer.model"))
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return config.hidden_size


def write_bert(folder: Path, weights: bool = False) -> None:
    """Writes configuration and words of a tiny BERT, and weights for a model that does not make them itself."""
    import torch
    from transformers import BertConfig, BertLMHeadModel, BertTokenizer

    folder.mkdir(parents=True)
    words = sorted({*WORDS.split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
    )
    config.save_pretrained(folder)
    if weights:
        torch.manual_seed(0)
        BertLMHeadModel(config).save_pretrained(folder)


def write_t5(folder: Path) -> None:
    """Writes a tiny T5 with a SentencePiece tokenizer."""
    import sentencepiece
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer, T5TokenizerFast

    folder.mkdir(parents=True)
    (folder / "text").write_text(WORDS * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "spiece"), vocab_size=60, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
    )  # fmt: skip
    T5Tokenizer(str(folder / "spiece.model"), extra_ids=0).save_pretrained(folder)
    tokenizer = T5TokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, decoder_start_token_id=0,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    config.suppress_tokens = [0, 1, 2, 4]  # Padding, end, unknown, space: the answer has letters.
    T5ForConditionalGeneration(config).save_pretrained(folder)
