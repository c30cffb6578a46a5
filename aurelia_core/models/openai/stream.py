"""Puts a streamed chat completion together, for a service that answers only as a stream."""

from typing import Any

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


class StreamedReply:
    """The whole reply of a stream, in the form of one that was not streamed."""

    def __init__(self) -> None:
        """Begin without text."""
        self._body: dict[str, Any] = {}
        self._message: dict[str, str] = {}
        self._finish_reason: str | None = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Add one chunk."""
        for name in ("id", "model", "usage", "error", "service_tier"):
            if chunk.get(name):
                self._body[name] = chunk[name]
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            for name in _TEXTS:
                if delta.get(name):
                    self._message[name] = self._message.get(name, "") + delta[name]
            self._finish_reason = choice.get("finish_reason") or self._finish_reason

    def whole(self) -> dict[str, Any]:
        """The reply; without a choice if the stream held none."""
        choices: list[dict[str, Any]] = []
        if self._message or self._finish_reason:
            message = {"role": "assistant", "content": "", **self._message}
            choices = [{"index": 0, "message": message, "finish_reason": self._finish_reason}]
        return {**self._body, "choices": choices}
