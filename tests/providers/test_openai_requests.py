"""`compatible:MODEL` behind the real client, against a strict loopback server of one's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.client import ModelClient
from tests.support.openai_fixtures import SEEING, WINDOW, head
from tests.support.openai_server import KEY, Fault
from tests.support.openai_server_rules import data_url, sound
from tests.support.scripted import verdict

pytestmark = pytest.mark.enable_socket


async def test_a_server_of_ones_own_takes_video_and_sound(compatible: Any) -> None:
    set_up = compatible(evaluator=[verdict(3), verdict(9)], feedback=[{"feedback": "There.", "windows": [WINDOW]}])
    result = await set_up.ask("compatible:omni", unsupported_modality="error")
    server = set_up.server
    assert server.refused == [] and server.lookups == 0
    seeing = [sent for sent in server.sent if sent.role in SEEING]
    assert len({head(sent) for sent in seeing}) == 1
    for sent in seeing:
        assert data_url(sent.of("video_url")[0], "video/mp4") == set_up.clip.read_bytes()
        rate, samples = sound(data_url(sent.of("audio_url")[0], "audio/wav"))
        assert len(samples) == pytest.approx(2 * 2 * rate, rel=0.01)
    look = server.by("generator")[1]
    assert len(look.of("image_url")) == 4
    assert len(sound(data_url(look.of("audio_url")[1], "audio/wav"))[1]) == 16000
    assert (result["warnings"], result["usage"]["cost_usd"]) == ([], None)


async def test_frames_that_no_context_holds_are_refused_before_anything_is_sent(place: Any) -> None:
    set_up = place()
    with pytest.raises(InputError, match=r"openai:gpt-4o-mini takes 128000 tokens, and this clip has about 2\d{6}"):
        await set_up.ask("openai:gpt-4o-mini", frames=256)
    assert set_up.server.sent == []


async def test_a_server_of_ones_own_learns_nothing_of_an_openai_account(compatible: Any) -> None:
    set_up = compatible()
    await set_up.ask("compatible:omni", max_iterations=1)
    for sent in set_up.server.sent:
        told = json.dumps(sent.headers)
        assert KEY not in told and "secret" not in told
        assert "prompt_cache_key" not in sent.body


async def test_a_server_of_ones_own_may_have_a_key(compatible: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up = compatible("images+input_audio")
    set_up.server.key = "local-key"
    with pytest.raises(InputError, match="check AURELIA_COMPATIBLE_KEY"):
        await set_up.ask("compatible:omni")
    monkeypatch.setenv("AURELIA_COMPATIBLE_KEY", "local-key")
    desk = ModelClient(set_up.desk.settings, store=set_up.desk.store, ledger=set_up.desk.ledger)
    result = await set_up._replace(desk=desk).ask("compatible:omni", unsupported_modality="error", max_iterations=1)
    assert result["answer"] == "an answer"
    sent = set_up.server.by("target")[0]
    assert len(sent.of("image_url")) == 4 and len(sent.of("input_audio")) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "no room for 40 frames"}', r"status 400: Error code: 400 - no room for 40 frames\)"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', r"Error code: 400 - .*field required"),
        (b'{"object": "error", "message": "no room for 40 frames"}', r"Error code: 400 - no room for 40 frames\)"),
        (b'{"error": "no room for 40 frames"}', r"Error code: 400 - no room for 40 frames\)"),
        (b"no room, none", r"Error code: 400 - no room, none\)"),
        (b"<html>no room</html>", r"\(status 400: Error code: 400\)"),
    ],
)
async def test_what_a_server_of_ones_own_says_of_a_fault_is_passed_on(compatible: Any, body: bytes, said: str) -> None:
    set_up = compatible()
    set_up.server.faults.extend([Fault(400, body=body)] * 9)
    with pytest.raises(ModelError, match=said):
        await set_up.ask("compatible:omni", max_iterations=1, compare=False)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AURELIA_COMPATIBLE_URL", "", "the variable AURELIA_COMPATIBLE_URL"),
        ("AURELIA_COMPATIBLE_URL", "localhost:8000", "AURELIA_COMPATIBLE_URL is not an address"),
        ("AURELIA_COMPATIBLE_MEDIA", "smell", "AURELIA_COMPATIBLE_MEDIA='smell' cannot be used"),
        ("AURELIA_COMPATIBLE_STRUCTURED", "xml", "AURELIA_COMPATIBLE_STRUCTURED='xml' cannot be used"),
    ],
)
async def test_the_operators_mistakes_are_named(
    compatible: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    set_up = compatible()
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=said):
        await set_up.ask("compatible:omni")


@pytest.mark.parametrize("fault", [None, Fault(400, body=b"bad \x1b[2Jframes")])
def test_what_a_model_says_does_not_steer_the_terminal(compatible: Any, tmp_path: Path, fault: Fault | None) -> None:
    set_up = compatible("images", target=["\x1b[2Ja red\r\x07 circle"])
    set_up.server.faults.extend([fault] * 9 if fault else [])
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'unsupported_modality = "evidence"\nframes = 2\nmax_iterations = 1\ntarget = "compatible:omni"\n'
    )
    arguments = ["ask", "--video", str(set_up.clip), "--question", "What is seen?", "--profile", str(profile)]
    known = {**os.environ, "AURELIA_HOME": str(tmp_path / "home")}
    ended = subprocess.run([sys.executable, "-m", "aurelia", *arguments], capture_output=True, text=True, env=known)
    assert not {"\x1b", "\x07"} & set(ended.stdout + ended.stderr)
    if fault:
        assert ended.returncode == 3 and "bad [2Jframes" in ended.stderr
    else:
        assert ended.stdout == "[2Ja red\n  circle\n"
