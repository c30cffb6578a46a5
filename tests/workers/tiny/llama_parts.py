"""Tiny random parts that several of the research models load: LLaMA with a SentencePiece tokenizer, and BERT."""

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
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

    folder.mkdir(parents=True)
    write_words(folder)
    tokenizer = LlamaTokenizer(str(folder / "tokenizer.model"))
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return config.hidden_size


def write_bert(folder: Path) -> None:
    """Writes configuration and words of a tiny BERT, whose weights the models make themselves."""
    from transformers import BertConfig, BertTokenizer

    folder.mkdir(parents=True)
    words = sorted({*WORDS.split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
    )
    config.save_pretrained(folder)
