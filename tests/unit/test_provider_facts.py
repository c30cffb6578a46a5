"""What is known of providers: words of errors, who answered, when models end, keys in files, what a run forgets."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from aurelia.cli.doctor import examine_machine, render_findings
from aurelia.cli.env_file import load_env_file
from aurelia.profiles import context_from_profile, profile_names
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.answered_by import is_other_model
from aurelia_core.models.capabilities import (
    TokenPrice,
    capability_table,
    ending_note,
    find_capability,
    missing_requirements,
)
from aurelia_core.models.data_dates import data_dates
from aurelia_core.models.failed_calls import FailedCalls
from aurelia_core.models.provider_errors import body_error, status_error
from aurelia_core.secrets import read_key
from aurelia_core.settings import Settings
from targets import target_rows

ROOT = Path(__file__).parents[2]
SURE_UNTIL = date(2027, 2, 1)


def named_models() -> list[str]:
    """Every hosted model that a profile or the first name of a target row recommends."""
    found = set()
    for name in profile_names():
        context = context_from_profile(name)
        found |= {*context.models().values(), *context.fallbacks().values()}
    for row in target_rows().values():
        if row.state != "no public weights":
            found.add(row.models[0])
    return sorted(model for model in found if model.startswith(("openai:", "google_genai:")))


def test_no_recommended_model_ends_soon() -> None:
    models = named_models()
    assert len(models) >= 4
    for model in models:
        ends = find_capability(model).ends
        assert ends is None or ends > SURE_UNTIL, model


@pytest.mark.parametrize("folder", ["docs", "aurelia", "aurelia_core", "state", "targets", "README.md", ".env.example"])
def test_no_example_and_no_remedy_names_a_model_that_ends_soon(folder: str) -> None:
    place = ROOT / folder
    files = [place] if place.is_file() else [*place.rglob("*.py"), *place.rglob("*.md")]
    old = ("gemini-2.", "gpt-4o", "gpt-4.1", "gpt-5-", 'openai:gpt-5"', "gpt-audio-mini")
    for file in files:
        text = file.read_text("utf-8")
        assert [name for name in old if name in text] == [], file.name


@pytest.mark.parametrize(
    ("model", "announced", "today", "said"),
    [
        ("openai:gpt-4o", None, date(2026, 11, 28), "ends on 2027-01-14"),
        ("openai:gpt-4o", None, date(2026, 6, 1), ""),
        ("google_genai:gemini-2.5-pro", None, date(2026, 12, 2), "ended on 2026-12-01"),
        ("google_genai:gemini-2.5-flash-lite", None, date(2026, 12, 2), ""),
        ("openai:gpt-9", date(2027, 1, 1), date(2026, 12, 2), "ends on 2027-01-01"),
    ],
)
def test_a_model_that_ends_is_named_in_time(model: str, announced: Any, today: date, said: str) -> None:
    found = ending_note(model, announced, today)
    assert said in found and bool(said) == bool(found)


@pytest.mark.parametrize(
    ("asked", "answered", "other"),
    [
        ("gpt-5.6-terra", "gpt-5.6-terra-2026-07-01", False),
        ("gpt-4o", "gpt-4o-mini", True),
        ("gemini-2.5-flash", "gemini-3.5-flash-lite", True),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite", True),
        ("models/gemini-3.8-flash", "gemini-3.8-flash-001", False),
        ("gemini-3.8-flash-preview-09-2026", "gemini-3.8-flash", False),
        ("google/gemini-3.8-flash", "gemini-3.8-flash", False),
        ("Qwen/Qwen2.5-Omni-7B", "/srv/weights/Qwen2.5-Omni-7B", False),
        ("smollm", "", False),
        ("smollm", "/srv/weights/SmolLM2-135M-Instruct.Q4_1.gguf", False),
    ],
)
def test_another_family_is_told_from_another_version(asked: str, answered: str, other: bool) -> None:
    assert is_other_model(asked, answered) is other


@pytest.mark.parametrize(
    ("status", "said", "transient"),
    [
        (503, "overloaded", True),
        (429, "Rate limit reached for requests per min", True),
        (429, "insufficient_quota", False),
        (500, "audio input is not supported", False),
        (500, "CUDA error", True),
        (400, "unsupported_country_region_territory", False),
        (413, "too big", False),
    ],
)
def test_words_and_status_decide_whether_a_retry_may_help(status: int, said: str, transient: bool) -> None:
    found = status_error("compatible:x", status, said)
    assert (found.transient, found.status) == (transient, status)


@pytest.mark.parametrize(
    ("error", "transient", "status"),
    [
        ({"code": 502, "message": "bad gateway"}, True, 502),
        ({"code": "429", "message": "slow down"}, True, 429),
        ({"code": "invalid_prompt", "message": "no"}, False, 400),
        ("out of order", False, 400),
    ],
)
def test_an_error_in_a_body_is_that_error(error: Any, transient: bool, status: int) -> None:
    found = body_error("compatible:x", error)
    assert (found.transient, found.status) == (transient, status)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  abc \n")
    env = {"GOOGLE_API_KEY_FILE": str(file), "GEMINI_API_KEY": "other"}
    assert read_key("GOOGLE_API_KEY", "GEMINI_API_KEY", environment=env) == "abc"
    assert read_key("GEMINI_API_KEY", environment=env) == "other"
    assert read_key("OPENAI_API_KEY", environment=env) == ""
    assert not [text for text in missing_requirements("google_genai", env) if "variable" in text]
    file.write_text("two\nlines\n")
    with pytest.raises(InputError, match="GOOGLE_API_KEY_FILE holds no key"):
        read_key("GOOGLE_API_KEY", environment=env)
    with pytest.raises(InputError, match=r"GOOGLE_API_KEY_FILE cannot be read \(FileNotFoundError\): check"):
        read_key("GOOGLE_API_KEY", environment={"GOOGLE_API_KEY_FILE": str(tmp_path / "none")})


def test_the_command_line_reads_a_file_of_variables(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\nexport OPENAI_API_KEY='sk-1'\nAURELIA_HOME = /data # here\nGOOGLE_API_KEY=\"a # b\"\n"
        "PATH=/evil\nLD_PRELOAD=x\nAURELIA_PROFILE=gemini\nbroken line\n"
    )
    env = {"AURELIA_PROFILE": "offline"}
    load_env_file(tmp_path, env)
    assert env == {
        "AURELIA_PROFILE": "offline", "OPENAI_API_KEY": "sk-1", "AURELIA_HOME": "/data", "GOOGLE_API_KEY": "a # b",
    }  # fmt: skip
    load_env_file(tmp_path / "none", env)
    assert len(env) == 4


def test_a_run_forgets_what_failed_after_a_while() -> None:
    now = [0.0]
    failed = FailedCalls(lambda: now[0])
    asked = [HumanMessage("What is heard?")]
    failed.remember("run", "compatible:x", asked, ModelError("refused", status=400))
    with pytest.raises(ModelError, match="refused It was not asked again"):
        failed.check("run", "compatible:x", asked)
    failed.check("run", "compatible:y", asked)
    failed.check("other", "compatible:x", asked)
    failed.check("run", "compatible:x", [HumanMessage("What is seen?")])
    failed.remember("run", "compatible:z", asked, ModelError("gone", transient=True, unreachable=True))
    with pytest.raises(ModelError, match="gone"):
        failed.check("run", "compatible:z", [HumanMessage("What is seen?")])
    failed.remember("run", "compatible:w", asked, ModelError("busy", transient=True, status=503))
    failed.check("run", "compatible:w", asked)
    now[0] = 3600.0
    failed.check("run", "compatible:x", asked)
    failed.check("run", "compatible:z", asked)


def test_a_profiles_decoding_holds_for_its_own_models_only() -> None:
    assert context_from_profile("compatible").decoding_of("target") == {"max_tokens": 2048}
    changed = context_from_profile("compatible", {"target": "offline:measure", "summarizer": None})
    assert (changed.decoding_of("target"), changed.decoding_of("summarizer")) == ({}, {"max_tokens": 2048})
    own = {"decoding": {"target": {"seed": 1}}}
    assert context_from_profile("compatible", {"target": "openai:x", **own}).decoding_of("target") == {"seed": 1}


def test_every_price_has_a_date_and_what_is_old_is_named() -> None:
    parts = data_dates()
    priced = [row for row in capability_table().model if row.price != TokenPrice()]
    assert priced and all(row.price.read for row in priced)
    named = {model for part in parts if part.what == "prices" for model in part.models}
    assert named == {"google_genai:*"} | {model for row in priced for model in row.models}
    for part in parts:
        assert (ROOT / part.file).is_file()
        assert not part.is_old(part.read + timedelta(days=90))
        assert part.is_old(part.read + timedelta(days=91))


def test_the_doctor_says_which_figures_are_old(settings: Settings) -> None:
    found = examine_machine(settings)
    shown = render_findings(found)
    assert {part["what"] for part in found["data"]} == {
        "names and last days of models", "limits of models", "prices", "tokens of a clip",
    }  # fmt: skip
    for part in found["data"]:
        (line,) = [text for text in shown.splitlines() if text.startswith(f"  {part['read']}  {part['what']}") and (
            not part["models"] or part["models"][0] in text)]  # fmt: skip
        assert ("more than 90 days ago: check it in aurelia_core/models/" in line) == part["old"]
    assert any(part["old"] for part in found["data"]), "the prices of 2025 are old"
