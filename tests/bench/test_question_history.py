"""One question of a real run file as a tree: the attempts, both answers, and what is said when it is not there."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.question_history import read_question_history
from aurelia_core.errors import InputError
from tests.support.bench_runs import Bench, line, player
from tests.support.scripted import reasoning, verdict


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Bench:
    def target(fields: dict[str, Any], messages: Any) -> Any:
        if "(2)" in fields["question"]:
            return ValueError("out of order")
        return "with" if fields["reasoning"] else "without"

    looks = [reasoning("first"), reasoning("second")]
    model = player(generator=looks, evaluator=[verdict(4), verdict(9)], target=target)
    return Bench.with_copy(duet, tmp_path, model)


async def test_a_question_of_a_run_reads_like_a_thread(place: Bench) -> None:
    await place.run([line(1, choices=["with", "without"])])
    tree = read_question_history(place.out, "q1")
    assert [(node["node"], node["attempt"], node["score"]) for node in tree["nodes"]] == [
        ("reasoning_generator", 1, None),
        ("summarizer", 1, None),
        ("evaluator", 1, 4),
        ("feedback", 1, None),
        ("reasoning_generator", 2, None),
        ("summarizer", 2, None),
        ("evaluator", 2, 9),
        ("target_model", None, None),
        ("zero_shot", None, None),
    ]
    assert (tree["stands"], tree["answer"], tree["zero_shot_answer"], tree["choice"]) == (
        "done",
        "with",
        "without",
        "with",
    )
    assert (tree["score"], tree["best_iteration"], tree["stop_reason"]) == (9, 2, "threshold")
    assert tree["usage"] and tree["usage"]["calls"] == 9
    command = [sys.executable, "-m", "aurelia", "trace", str(place.out), "q1"]
    shown = (await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)).stdout
    assert "answer: with (attempt 2, 9/10, stopped by threshold); zero-shot: without" in shown
    as_json = await asyncio.to_thread(subprocess.run, [*command, "--json"], capture_output=True, check=True)
    assert json.loads(as_json.stdout) == tree


async def test_what_failed_or_is_not_there_is_said(place: Bench) -> None:
    await place.run([line(1), line(2)])
    failed = read_question_history(place.out, "q2")
    assert "out of order" in failed["stands"]
    assert {node["state"] for node in failed["nodes"]} == {"failed"}
    with pytest.raises(InputError, match="no record 'q11'; did you mean 'q1'"):
        read_question_history(place.out, "q11")
    with pytest.raises(InputError, match="no run file 'nowhere.run'"):
        read_question_history(place.out.with_name("nowhere.run"), "q1")


async def test_a_benchmark_waits_for_nobody(place: Bench) -> None:
    with pytest.raises(InputError, match="cannot wait for a reviewer"):
        await place.run([line(1)], review="reasoning")
    assert not place.model.said
