"""The table of what model families carry, cost and need; reply schemas as providers enforce them; the doctor."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia.cli.doctor import examine_machine
from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import call_cost, find_capability
from aurelia_core.models.openai.reply_format import response_format, strict_schema
from aurelia_core.models.replies import CaptionReply, FeedbackReply, ReasoningReply, VerdictReply
from aurelia_core.settings import Settings
from tests.support.openai_server import KEY, VARIABLES
from tests.support.openai_server_rules import check_strict


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["gpt-5-pro", "gpt-5.1-codex", "gpt-realtime"])
def test_models_that_would_drop_sound_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="choose a chat model"):
        find_capability(f"openai:{name}")


@pytest.mark.parametrize(
    ("spec", "sees", "hears"),
    [
        ("openai:gpt-4o", "images", False),
        ("openai:gpt-4o-mini-2024-07-18", "images", False),
        ("openai:gpt-audio-mini", "none", True),
        ("openai:gpt-3.5-turbo", "none", False),
        ("google_genai:gemini-2.5-flash", "video", True),
        ("google_genai:gemini-3-pro-preview", "video", True),
        ("compatible:anything/at-all", "images", False),
    ],
)
def test_the_table_says_what_a_family_sees_and_hears(spec: str, sees: str, hears: bool) -> None:
    row = find_capability(spec)
    assert (row.sees, bool(row.hears)) == (sees, hears)


def test_a_cost_is_known_or_null_and_never_guessed() -> None:
    price = find_capability("openai:gpt-4o").price
    usage = {"input_tokens": 1000, "output_tokens": 100, "input_token_details": {"cache_read": 400}}
    assert call_cost(price, usage) == pytest.approx((600 * 2.5 + 400 * 1.25 + 100 * 10) / 1e6)
    assert call_cost(price, usage, "flex") is None
    assert call_cost(price, None) is None
    assert call_cost(find_capability("openai:gpt-5.4").price, usage) is None
    audio = find_capability("openai:gpt-4o-audio-preview").price
    heard = {"input_tokens": 1000, "output_tokens": 100, "input_token_details": {"audio": 300}}
    assert call_cost(audio, heard) == pytest.approx((700 * 2.5 + 300 * 40 + 100 * 10) / 1e6)
    assert call_cost(audio, usage) is None
    assert (
        call_cost(find_capability("google_genai:gemini-2.5-pro").price, {"input_tokens": 300_000, "output_tokens": 1})
        is None
    )


@pytest.mark.parametrize("reply", [ReasoningReply, CaptionReply, VerdictReply, FeedbackReply])
def test_the_agents_replies_have_strict_schemas(reply: Any) -> None:
    strict = strict_schema(reply.model_json_schema())
    assert strict is not None
    check_strict(strict)


def test_a_schema_that_cannot_be_strict_goes_as_it_is() -> None:
    free = {"type": "object", "properties": {"x": {"type": "object"}}, "title": "Free"}
    form = response_format(free, "json_schema")
    assert form == {"type": "json_schema", "json_schema": {"name": "Free", "schema": free, "strict": False}}
    assert response_format(free, "none") is None


@pytest.mark.slow
def test_doctor_names_what_a_profile_lacks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks() -> dict[str, list[str]]:
        return {profile["name"]: profile["lacks"] for profile in examine_machine(settings)["profiles"]}

    assert lacks()["openai"] == ["the variable OPENAI_API_KEY"]
    assert lacks()["compatible"] == ["the variable AURELIA_COMPATIBLE_URL"]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AURELIA_COMPATIBLE_URL", "http://127.0.0.1:9/v1")
    assert (lacks()["openai"], lacks()["compatible"], lacks()["offline"]) == ([], [], [])


def test_a_missing_package_ends_in_the_command_that_installs_it(tmp_path: Path) -> None:
    script = (
        "import sys; from importlib import metadata; real = metadata.version\n"
        "def version(name):\n"
        "    if name == 'langchain-openai': raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.version = version\n"
        "from aurelia_core.models.client import ModelClient\n"
        "from aurelia_core.settings import Settings\n"
        "from pathlib import Path\n"
        f"desk = ModelClient(Settings(home=Path({str(tmp_path)!r}), allow_any_file=True))\n"
        "try: desk.model('openai:gpt-4o')\n"
        "except Exception as fault: sys.stdout.write(f'{type(fault).__name__}: {fault}')\n"
        "sys.exit('openai' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("InputError: openai:gpt-4o cannot be used here")
    assert "pip install -e '.[openai]'" in ended.stdout
