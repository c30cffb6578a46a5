"""The profiles of services that speak OpenAI's protocol, each against loopback rules after the service's documents.

A rule of a service that the profile did not keep would end the run with the service's own refusal.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from aurelia.profiles import context_from_profile
from aurelia.run.ask import answer_question
from tests.support.openai_server import Fault
from tests.support.openai_server_rules import MODELS

pytestmark = pytest.mark.enable_socket

Refusal = Callable[[dict[str, Any]], tuple[int, str] | None]


class Service(NamedTuple):
    """What a service takes of the protocol: its media setting, what it refuses, and how its replies differ."""

    media: str
    takes: set[str]
    refuses: Refusal
    structured: str = ""
    streams_only: bool = False
    message: dict[str, Any] = {}
    answers_as: str | None = None


def media_kinds(body: dict[str, Any]) -> set[str]:
    parts = [
        part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    return {part["type"] for part in parts} - {"text"}


def azure(body: dict[str, Any]) -> tuple[int, str] | None:
    """The v1 address: OpenAI's own rules; a content filter's findings stand beside each choice."""
    if "max_tokens" in body:
        return 400, "Unsupported parameter: 'max_tokens' is not supported with this model."
    return None


def dashscope(body: dict[str, Any]) -> tuple[int, str] | None:
    """Qwen-Omni: only as a stream, one kind of media beside the text, no schema."""
    if len(media_kinds(body)) > 1:
        return 400, "<400> InternalError.Algo.InvalidParameter: only one modality besides text is allowed."
    if (body.get("response_format") or {}).get("type") == "json_schema":
        return 400, "<400> InternalError: 'response_format' of type json_schema is not supported."
    return None


def openrouter(body: dict[str, Any]) -> tuple[int, str] | None:
    """Errors of the provider behind it come with status 200."""
    return None


def vertex(body: dict[str, Any]) -> tuple[int, str] | None:
    """The model is PUBLISHER/MODEL; a request holds 20 MB."""
    if "/" not in body["model"]:
        return 400, "The model must be of the form publisher/model."
    if len(json.dumps(body)) > 20_000_000:
        return 413, "Request payload size exceeds the limit."
    return None


def huggingface(body: dict[str, Any]) -> tuple[int, str] | None:
    """Text generation inference: a message without media is a string."""
    for message in body["messages"]:
        if isinstance(message["content"], list) and {part["type"] for part in message["content"]} == {"text"}:
            return 422, "Failed to deserialize the JSON body into the target type: messages[0].content: expected string"
    return None


def litellm(body: dict[str, Any]) -> tuple[int, str] | None:
    """The proxy drops nothing: a parameter that the model behind it does not take is refused."""
    if body.keys() - {"model", "messages", "stream", "response_format", "max_tokens"}:
        return 400, "litellm.UnsupportedParamsError"
    return None


FILTERED = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
SERVICES = {
    "azure": Service("images", {"images", "schema"}, azure, message=FILTERED, answers_as="gpt-5.6-terra-2026-07-01"),
    "dashscope": Service("video-with-sound", {"video", "urls", "schema"}, dashscope, streams_only=True),
    "openrouter": Service("video-with-sound", {"video", "urls", "schema"}, openrouter,
                          message={"reasoning": "I see a circle.", "reasoning_details": []}),
    "vertex": Service("video-with-sound", {"video", "urls", "schema"}, vertex),
    "huggingface": Service("images", {"images", "schema"}, huggingface),
    "litellm": Service("images", {"images", "schema"}, litellm),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_a_profile_keeps_to_the_rules_of_its_service(
    compatible: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    service = SERVICES[name]
    context = context_from_profile(name, {"max_iterations": 1, "frames": 4})
    model = context.target.removeprefix("compatible:")
    monkeypatch.setitem(MODELS, model, service.takes)
    set_up = compatible(service.media)
    if service.structured:
        monkeypatch.setenv("AURELIA_COMPATIBLE_STRUCTURED", service.structured)
    server = set_up.server
    server.streams_only, server.extra_message, server.answers_as = (
        service.streams_only, service.message, service.answers_as,
    )  # fmt: skip
    refused: list[str] = []

    def rule(raw: bytes) -> Fault | None:
        found = service.refuses(json.loads(raw))
        if found is None:
            return None
        refused.append(found[1])
        return Fault(found[0], body=json.dumps({"error": {"message": found[1]}}).encode())

    server.mishap = rule
    if name == "openrouter":
        server.faults.append(Fault(200, body=b'{"error": {"code": 502, "message": "Provider returned error"}}'))
    question: Any = {"video": str(set_up.clip), "question": "What is heard?"}
    result = await answer_question(question, context, client=set_up.desk)
    assert (result["answer"], result["score"], result["stop_reason"]) == ("an answer", 9, "threshold")
    # What a service refused once was found out with one request, and never sent again.
    assert len(refused) <= 1 and len(server.refused) <= 1
    assert len(server.sent) == 5
    hears = service.media == "video-with-sound"
    for sent in server.sent:
        expected: set[str] = set()
        if sent.role not in ("summarizer", "feedback"):
            expected = {"video_url"} if hears else {"image_url"}
        assert media_kinds(sent.body) == expected
    assert any("does not hear" in warning for warning in result["warnings"]) != hears


async def test_an_address_of_azures_old_form_is_refused_with_the_remedy(
    compatible: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = compatible("images")
    address = "https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    monkeypatch.setenv("AURELIA_COMPATIBLE_URL", address)
    with pytest.raises(Exception, match=r"write https://RESOURCE\.openai\.azure\.com/openai/v1"):
        await set_up.ask("compatible:gpt")
