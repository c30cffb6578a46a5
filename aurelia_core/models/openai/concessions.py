"""What a server refused once and is therefore no longer sent: asked again without it, remembered, and said.

A template without a system role gets the system text in the user's turn; a server that cannot enforce a schema is asked
with the next weaker form; a service that only streams is read as a stream.
"""

import re
import threading
from typing import NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from aurelia_core.models.capabilities import StructuredOutput
from aurelia_core.models.provider_errors import error_status, error_text

_WEAKER: dict[StructuredOutput, StructuredOutput] = {
    "json_schema": "json_object",
    "json_object_schema": "json_object",
    "json_object": "none",
}
_REFUSING = frozenset({400, 404, 415, 422, 500, 501})
_FORMAT = re.compile(
    r"response[_ ]?format|json[_ ]?(?:schema|object|mode)|structured[_ ]?output|guided|grammar|text\.type",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"system (?:role|message|prompt|instruction)s?\b|developer instruction|roles must alternate|only user and assist",
    re.IGNORECASE,
)
_STREAM = re.compile(r"only supports? stream|stream(?:ing)? (?:mode|is) .{0,20}(?:required|only)|stream=true", re.I)


_OBJECT = re.compile(r"json_object", re.IGNORECASE)


def _weaker_form(used: StructuredOutput, said: str) -> StructuredOutput:
    """The next form after a refusal. A server that names json_object instead may take the schema beside it."""
    if used == "json_schema" and _OBJECT.search(said):
        return "json_object_schema"
    return _WEAKER[used]


class Manner(NamedTuple):
    """How requests are sent: the form of the reply, whether the system text is folded, whether it is streamed."""

    structured: StructuredOutput
    folds_system: bool = False
    streams: bool = False


class Concessions:
    """The manner of one model, which becomes simpler with each refusal; safe for several threads."""

    def __init__(self, model_id: str, structured: StructuredOutput, setting: str) -> None:
        """Begin with what was declared.

        Args:
            model_id: the model, for notes.
            structured: the form that its server is said to enforce.
            setting: the variable that says so; empty: there is none.
        """
        self.manner = Manner(structured)
        self._declared = structured
        self._model_id = model_id
        self._setting = setting
        self._guard = threading.Lock()

    def concede(self, fault: Exception, used: Manner, *, has_schema: bool) -> bool:
        """Whether the request should be sent again in a simpler manner.

        Args:
            fault: what came back.
            used: the manner in which the failed request was sent.
            has_schema: whether it asked for a form of the reply.
        """
        if error_status(fault) not in _REFUSING:
            return False
        said = error_text(fault)
        with self._guard:
            if self.manner != used:
                return True
            simpler = used
            if has_schema and used.structured in _WEAKER and _FORMAT.search(said):
                simpler = used._replace(structured=_weaker_form(used.structured, said))
            elif not used.streams and _STREAM.search(said):
                simpler = used._replace(streams=True)
            elif not used.folds_system and _SYSTEM.search(said):
                simpler = used._replace(folds_system=True)
            self.manner = simpler
            return simpler != used

    def notes(self, used: Manner, *, has_schema: bool) -> list[str]:
        """What a request went without, in words."""
        found = []
        if has_schema and used.structured != self._declared:
            remedy = ""
            if self._setting:
                remedy = f"; set {self._setting}={used.structured} to ask it so from the start"
            instead = f"was asked with {used.structured}"
            if used.structured == "none":
                instead = "was asked without a form"
            found.append(f"{self._model_id} refused response_format {self._declared} and {instead}{remedy}.")
        if used.folds_system:
            found.append(f"{self._model_id} takes no system text: it stands before the prompt.")
        return found


def folded(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages with the system text at the beginning of the first user's turn."""
    system = "\n\n".join(message.text for message in messages if isinstance(message, SystemMessage))
    rest = [message for message in messages if not isinstance(message, SystemMessage)]
    for place, message in enumerate(rest):
        if isinstance(message, HumanMessage):
            content: str | list[str | dict[str, object]] = f"{system}\n\n{message.content}"
            if isinstance(message.content, list):
                content = [{"type": "text", "text": system}, *message.content]
            rest[place] = HumanMessage(content)
            break
    return rest
