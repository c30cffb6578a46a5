"""A chat model that follows a script, for driving the real graph: a list of replies, or a function, for each role."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

Said = str | dict[str, Any] | Exception
HANG = "hang"
Script = list[Said] | Callable[[dict[str, Any], list[BaseMessage]], Said]


def reasoning(name: str = "r") -> dict[str, Any]:
    step = {"step": f"Find {name}.", "justification": f"{name} at 1 s", "answer": f"{name} found", "modality": "audio"}
    return {"steps": [step], "answer": f"{name} answer"}


def verdict(score: Any, **more: Any) -> dict[str, Any]:
    return {"score": score, "justification": f"worth {score}", "windows": [{"start": 0.2, "end": 0.6}], **more}


class ScriptedChat(BaseChatModel):
    """Plays every role; `said` counts the calls of each, `heard` keeps what each was sent."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    script: dict[str, Any]
    said: Counter[str]
    heard: list[tuple[str, dict[str, Any], list[BaseMessage]]]
    price: float | None = 0.01
    hanging: asyncio.Event = Field(default_factory=asyncio.Event)
    name: str | None = "scripted"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        result = self._generate(messages)
        if result.generations[0].message.text == HANG:
            self.hanging.set()
            await asyncio.sleep(3600)
        return result

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        fields = messages[-1].additional_kwargs["request"]
        role = fields["role"]
        if role == "target" and fields["reasoning"] is None and "zero_shot" in self.script:
            role = "zero_shot"
        lines = self.script.get(role) or DEFAULTS[role]
        number = self.said[role]
        self.said[role] += 1
        self.heard.append((role, fields, messages))
        said = lines(fields, messages) if callable(lines) else lines[min(number, len(lines) - 1)]
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        message = AIMessage(text, usage_metadata={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
        message.response_metadata["cost_usd"] = self.price
        return ChatResult(generations=[ChatGeneration(message=message)])


DEFAULTS: dict[str, Script] = {
    "generator": lambda fields, messages: reasoning(f"r{fields['iteration']}"),
    "summarizer": lambda fields, messages: {"caption": f"Caption of {fields['reasoning']['answer']}."},
    "evaluator": [verdict(9)],
    "feedback": lambda fields, messages: {"feedback": f"Look again after {fields['iteration']}.", "windows": []},
    "target": lambda fields, messages: "with" if fields["reasoning"] else "without",
}


def scripted(price: float | None = 0.01, **script: Script) -> ScriptedChat:
    return ScriptedChat(script=script, said=Counter(), heard=[], price=price)
