"""The registry of targets: the paper's rows are all there, no state promises too much, and each row is explained."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from aurelia_core.errors import InputError
from aurelia_core.models.registry import known_providers
from aurelia_core.types import Reasoning
from prompts.render import injected_text, render_target_prompt
from targets import Target, explain, find_target, target_rows

PAPER = [
    "Gemini 1.5 Pro", "Reka Core", "PandaGPT (13B)", "Macaw-LLM (7B)", "VideoLLaMA (7B)", "ImageBind-LLM",
    "X-InstructBLIP (13B)", "AV-LLM (13B)", "OneLLM (7B)", "AVicuna (7B)", "CREMA (4B)", "VideoLLaMA2 (7B)",
    "AnyGPT (7B)", "NExT-GPT (7B)", "Unified-IO-2 L (6.8B)", "Unified-IO-2 XL", "Bay-CAT (7B)",
    "Video-SALMONN (7B)", "VITA (7B)",
]  # fmt: skip
NATIVE = {
    "qwen2_5_omni", "qwen3_omni_moe", "gemma4", "phi4_multimodal", "nemotron_h_omni", "gemma3n", "muse_spark",
    "inkling", "dots3_note", "omniagent",
}  # fmt: skip
HOSTED = {"gemini", "gpt", "gpt_audio", "qwen_omni_hosted"}
SERVED = {"minicpm_o", "ming_flash_omni"}
LATER_WORKERS = {"omnivinci", "ola", "video_salmonn2_plus", "vita_1_5"}
ROWS = sorted(target_rows().items())
REASONING: Reasoning = {
    "steps": [{"step": "Find the loudest sound.", "justification": "", "answer": "", "modality": "audio"}],
    "answer": "",
}


def row(**changes: Any) -> Target:
    plain = {"title": "x", "models": ["worker:x"], "reasoning": "{{reasoning}}", "short": "Short.", "choice": "One."}
    return Target.model_validate(plain | {"run": "worker", "state": "no public weights"} | changes)


def test_every_row_of_the_paper_is_there_once_as_it_is_printed() -> None:
    assert sorted(row.title for row in target_rows().values() if row.paper_row) == sorted(PAPER)


def test_the_families_and_the_two_that_always_work_are_there() -> None:
    others = {"default", "offline", "mini"} | NATIVE | HOSTED | SERVED | LATER_WORKERS
    assert others == {name for name, row in ROWS if not row.paper_row}
    assert {name for name, row in ROWS if row.run == "native"} == NATIVE
    assert {name for name, row in ROWS if row.state == "needs a server"} == SERVED


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_state_promises_no_more_than_there_is(name: str, row: Target) -> None:
    provider = row.models[0].partition(":")[0]
    public = bool(row.weights or row.weights_elsewhere)
    if row.state == "works here":
        assert provider in known_providers()
        # Packages apart: the project's own, which an extra brings.
        assert [
            lack for lack in explain.explain_target(name, known_providers())["lacks"] if "pip install" not in lack
        ] == []
    else:
        assert explain.explain_target(name, known_providers())["lacks"]
    if row.state == "needs a key":
        assert row.key and row.run == "provider"
    if row.state == "needs weights":
        assert row.weights and row.models[0] == f"transformers:{row.weights[0]}"
    if row.state == "needs its own environment":
        assert row.upstream and public and row.models == [f"worker:{name}"]
    if row.state == "no public weights":
        assert not public and len(row.notes) > 40
    assert (row.state is None) == (name == "default")


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_what_is_not_confirmed_is_said(name: str, row: Target) -> None:
    unknown = row.run != "provider" and public_licence_missing(row)
    assert not unknown or re.search(r"not confirmed|not stated|was found|no licence|read it", row.notes)
    assert row.modalities or name == "default"


def public_licence_missing(row: Target) -> bool:
    return bool(row.weights or row.weights_elsewhere) and None in (row.licence_code, row.licence_weights)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_the_reasoning_stands_in_every_prompt_once(name: str, row: Target) -> None:
    assert row.reasoning.count("{{reasoning}}") == 1
    assert re.findall(r"\{\{(\w+)\}\}", row.reasoning) == ["reasoning"]
    assert row.reasoning.endswith("\n")
    if row.wrapper:
        assert row.wrapper.count("{{prompt}}") == 1
        assert set(re.findall(r"\{\{(\w+)\}\}", row.wrapper)) <= {"prompt", "media"}
    assert "Find the loudest sound." in row.reasoning.replace("{{reasoning}}", injected_text(REASONING))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "works here"},
        {"state": "works here", "run": "provider", "key": "SOME_KEY"},
        {"state": "needs a key", "run": "provider"},
        {"state": "needs weights", "run": "native"},
        {"state": "needs a server", "run": "provider", "models": ["compatible:a/b"], "weights": ["a/b"]},
        {"state": "needs its own environment", "weights": ["a/b"]},
        {"state": "needs its own environment", "upstream": "https://example.org/a"},
        {"state": "no public weights", "weights": ["a/b"]},
        {"state": None},
        {"state": "works somewhere"},
        {"reasoning": "no place for it"},
        {"wrapper": "no place for it"},
        {"models": ["worker:*"]},
        {"models": ["no provider"]},
        {"weights": ["not-on-the-hub"]},
        {"frames": 0},
        {"sees": True},
    ],
)
def test_a_row_that_promises_too_much_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        row(**changes)


def test_the_most_exact_row_is_chosen() -> None:
    chosen = {
        "google_genai:gemini-3.8-flash": "Gemini",
        "google_genai:gemini-1.5-pro-002": "Gemini 1.5 Pro",
        "openai:gpt-5.6-sol": "GPT",
        "openai:gpt-audio-1.5": "GPT audio",
        "openai:gpt-audio-mini": "GPT audio",
        "transformers:Qwen/Qwen2.5-Omni-3B": "Qwen2.5-Omni",
        "transformers:google/gemma-3n-E2B-it": "Gemma 3n",
        "worker:unified_io_2_xl": "Unified-IO-2 XL",
        "offline:measure": "the offline measuring target",
        "offline:other": "the offline measuring target",
        "compatible:qwen3.5-omni-plus": "Qwen3.5-Omni and Qwen3.8-Omni",
        "transformers:thinkingmachines/Inkling": "Inkling",
        "compatible:thinkingmachines/Inkling-NVFP4": "Inkling",
        "compatible:anything": "any chat model",
        "worker:pandagpt-2": "any chat model",
    }
    assert {spec: find_target(spec).title for spec in chosen} == chosen


def test_no_two_rows_stand_for_the_same_name() -> None:
    names = [name for _, row in ROWS for name in row.models]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["vita", "VITA (7B)", " Vita ", "worker:vita"])
def test_a_row_is_found_by_name_title_or_model(name: str) -> None:
    assert explain.find_target_row(name)[0] == "vita"


@pytest.mark.parametrize(("name", "near"), [("pandagtp", "pandagpt"), ("Video-SALMON", "video_salmonn")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"did you mean.*{near}"):
        explain.find_target_row(name)


def test_a_name_like_none_points_to_the_list() -> None:
    with pytest.raises(InputError, match="aurelia targets lists them"):
        explain.find_target_row("zzzzzz")


def test_a_row_says_what_it_lacks_in_the_order_of_doing() -> None:
    lacks = explain.explain_target("qwen2_5_omni", {"offline"})["lacks"]
    assert [lack.split()[0:2] for lack in lacks] == [["the", "provider"], ["its", "packages:"], ["the", "weights:"]]
    assert len(explain.explain_target("qwen2_5_omni", {"offline", "transformers"})["lacks"]) == 2
    named = explain.explain_target("transformers:Qwen/Qwen2.5-Omni-3B", {"transformers"})
    assert named["lacks"][-1] == "the weights: hf download Qwen/Qwen2.5-Omni-3B"
    assert named["command"].endswith("--model target=transformers:Qwen/Qwen2.5-Omni-3B")


def aurelia(*arguments: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "aurelia", "targets", *arguments], capture_output=True, text=True, env={**os.environ}
    )


def test_the_command_lists_and_explains() -> None:
    listed = aurelia().stdout
    assert all(title in listed for title in PAPER)
    assert (
        len([line for line in listed.splitlines() if "worker" in line or "provider" in line or "native" in line]) == 42
    )
    found = json.loads(aurelia("--json").stdout)
    assert [row["title"] for row in found if row["paper_row"]] == [row["title"] for row in found[:19]]
    assert found[0].keys() == {"name", "title", "state", "run", "paper_row", "worker"}
    told = aurelia("onellm").stdout
    for part in ("OneLLM (7B)", "needs its own environment", "Python 3.11", "csuhan/OneLLM-7B", "target=worker:onellm"):
        assert part in told
    full = json.loads(aurelia("offline", "--json").stdout)
    assert (full["state"], full["lacks"], full["spec"]) == ("works here", [], "offline:measure")


def test_an_unknown_name_is_a_users_mistake() -> None:
    ended = aurelia("pandagtp")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("aurelia: There is no target 'pandagtp': did you mean pandagpt")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--json"], ["pandagtp"], ["--help"]])
def test_the_list_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from aurelia.cli.main import main; sys.argv = ['aurelia', 'targets', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'langgraph', 'langchain_core', 'librosa', 'numpy'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-300:]


def test_a_row_says_whether_the_working_is_written_down() -> None:
    reasoning: Any = {
        "steps": [{"step": "Listen.", "justification": "", "answer": "", "modality": "both"}],
        "answer": "",
    }
    row = find_target("openai:gpt-5.6-terra")
    silent = render_target_prompt(row, "Which?", ["left", "right"], reasoning)
    assert "silently" in silent and silent.rstrip().endswith(row.choice)
    aloud = render_target_prompt(row.model_copy(update={"working": "aloud"}), "Which?", ["left", "right"], reasoning)
    assert "on a last line of its own, the answer alone" in aloud
    assert render_target_prompt(row, "Which?", [], None) == f"Question: Which?\n\n{row.short}"


def test_a_row_holds_its_makers_decoding() -> None:
    values = find_target("transformers:Qwen/Qwen2.5-Omni-3B").decoding.set_values()
    assert values["repetition_penalty"] == 1.0 and values["system"].startswith("You are Qwen")
    assert find_target("transformers:google/gemma-4-E2B-it").decoding.set_values() == {}
