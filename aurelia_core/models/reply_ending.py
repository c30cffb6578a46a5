"""How a reply ended: as an answer, as a refusal, or cut off at its limit. The model's own words are kept."""

from langchain_core.messages import AIMessage

_QUOTED = 300
_CUT = ("length", "max_tokens")


def is_cut(message: AIMessage) -> bool:
    """Whether the reply reached its output limit."""
    return str(message.response_metadata.get("finish_reason") or "").lower() in _CUT


def refusal_text(message: AIMessage) -> str:
    """The words of a reply that the provider marked as a refusal; empty for any other reply."""
    return str(message.additional_kwargs.get("refusal") or "").strip()


def ending_text(message: AIMessage) -> str:
    """What is wrong with the end of a reply, as a sentence with the model's words; empty if nothing is."""
    if words := refusal_text(message):
        return f" It refused: {quoted_start(words)}."
    if is_cut(message):
        return f" It was cut off at its output limit (decoding.ROLE.max_tokens): {quoted_start(message.text)}."
    return ""


def quoted_start(text: str) -> str:
    """The first words of a text in quotation marks, on one line."""
    line = " ".join(text.split())
    if len(line) > _QUOTED:
        line = f"{line[:_QUOTED]}…"
    return f'"{line}"'
