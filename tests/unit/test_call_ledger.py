"""The call ledger: retries, Retry-After, storing before use, keys, rollouts, two processes on one file."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from aurelia_core.errors import ModelError, StorageError
from aurelia_core.models.call_ledger import MAX_TRIES, CallLedger, ModelCall, call_key
from aurelia_core.types import NO_USAGE
from tests.support.scripted import scripted
from tests.support.stage import no_wait

FIELDS: dict[str, Any] = {"role": "target", "reasoning": None}


def call(model: Any, text: str = "Hello", **changes: Any) -> ModelCall:
    message = HumanMessage(text, additional_kwargs={"request": changes.pop("fields", FIELDS)})
    known = {"model_id": "scripted:one", "role": "target", "run": "r1", "rollout": 0, **changes}
    return ModelCall(model=model, messages=[message], **known)


def http_fault(status: int, headers: dict[str, str] | None = None) -> httpx.HTTPStatusError:
    response = httpx.Response(status, headers=headers, request=httpx.Request("POST", "http://model.invalid/v1"))
    return httpx.HTTPStatusError(f"status {status}", request=response.request, response=response)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def ledger(tmp_path: Path, waits: list[float]) -> Any:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    book = CallLedger(tmp_path / "ledger.sqlite", sleep=sleep)
    yield book
    book.close()


async def test_the_same_call_is_paid_once_and_free_for_another_run(ledger: CallLedger) -> None:
    model = scripted(target=["one", "two"])
    first = await ledger.call(call(model))
    again = await ledger.call(call(model))
    other = await ledger.call(call(model, run="r2"))
    assert [reply.message.text for reply in (first, again, other)] == ["one"] * 3
    assert [reply.usage["calls"] for reply in (first, again, other)] == [1, 1, 0]
    assert model.said["target"] == 1
    ledger.mark_billed("r1", again)
    assert (await ledger.call(call(model))).usage["calls"] == 0


@pytest.mark.parametrize(
    "change",
    [{"rollout": 1}, {"text": "Hello?"}, {"model_id": "scripted:two"}, {"fields": {**FIELDS, "question": "why"}}],
)
async def test_what_decides_the_reply_decides_the_key(ledger: CallLedger, change: dict[str, Any]) -> None:
    model = scripted(target=["one", "two"])
    await ledger.call(call(model))
    assert (await ledger.call(call(model, **change))).message.text == "two"


def test_a_clip_counts_by_its_content_not_its_name() -> None:
    model = scripted()
    keys = {
        call_key(call(model, fields={**FIELDS, "clip": {"id": id_, "name": name, "bytes": 1, "duration": 2.0}}))
        for id_, name in (("a" * 64, "x.mp4"), ("a" * 64, "y.mp4"), ("b" * 64, "x.mp4"))
    }
    assert len(keys) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_transient_faults_are_tried_again(ledger: CallLedger, waits: list[float], status: int) -> None:
    model = scripted(target=[http_fault(status), http_fault(status), "there"])
    assert (await ledger.call(call(model))).message.text == "there"
    assert model.said["target"] == 3
    assert len(waits) == 2
    assert all(0 <= wait <= 30 for wait in waits)


async def test_retry_after_is_honoured(ledger: CallLedger, waits: list[float]) -> None:
    model = scripted(target=[http_fault(429, {"retry-after": "7"}), "there"])
    await ledger.call(call(model))
    assert waits == [7.0]


async def test_a_wait_of_an_hour_is_not_waited_for(ledger: CallLedger, waits: list[float]) -> None:
    with pytest.raises(ModelError, match="status 429"):
        await ledger.call(call(scripted(target=[http_fault(429, {"retry-after": "3600"})])))
    assert waits == []


async def test_it_gives_up_and_stores_nothing(ledger: CallLedger) -> None:
    model = scripted(target=[httpx.ConnectTimeout("slow")])
    with pytest.raises(ModelError, match=r"scripted:one did not answer \(ConnectTimeout"):
        await ledger.call(call(model))
    assert model.said["target"] == MAX_TRIES
    model.script["target"] = ["there"]
    assert (await ledger.call(call(model))).message.text == "there"


@pytest.mark.parametrize(("status", "remedy"), [(401, "Check the key"), (404, "model's name"), (413, "shorter clip")])
async def test_lasting_faults_are_not_tried_again(ledger: CallLedger, status: int, remedy: str) -> None:
    model = scripted(target=[http_fault(status)])
    with pytest.raises(ModelError, match=remedy) as fault:
        await ledger.call(call(model))
    assert fault.value.status == status
    assert model.said["target"] == 1


def billed_fault(price: float) -> ModelError:
    fault = ModelError("an empty reply", transient=True)
    fault.usage = {**NO_USAGE, "calls": 1, "input_tokens": 7, "cost_usd": price}
    return fault


async def test_what_tries_in_vain_cost_survives_the_process_and_is_counted_once(tmp_path: Path) -> None:
    path, model = (
        tmp_path / "ledger.sqlite",
        scripted(target=[billed_fault(0.5)] * MAX_TRIES + [billed_fault(0.25), "one"]),
    )
    first = CallLedger(path, sleep=no_wait)
    with pytest.raises(ModelError) as told:
        await first.call(call(model))
    assert told.value.usage and told.value.usage["calls"] == MAX_TRIES
    first.close()
    # Another process goes on with the run: nobody has told its bill what was spent in vain.
    second = CallLedger(path, sleep=no_wait)
    reply = await second.call(call(model))
    assert (reply.usage["calls"], reply.usage["cost_usd"]) == (MAX_TRIES + 2, pytest.approx(2.0 + 0.25 + 0.01))
    assert (await second.call(call(model))).usage == reply.usage
    assert (await second.call(call(model, run="r2"))).usage["calls"] == 0
    second.close()


async def test_a_process_that_has_told_of_a_failure_does_not_count_it_again(ledger: CallLedger) -> None:
    model = scripted(target=[billed_fault(0.5)] * MAX_TRIES + ["one"])
    with pytest.raises(ModelError):
        await ledger.call(call(model))
    assert (await ledger.call(call(model))).usage["calls"] == 1


@pytest.mark.parametrize("content", [b"no database at all, " * 200, b"SQLite format 3\0" + bytes(4000)])
async def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="The call ledger 'ledger.sqlite' is damaged .*: move it away"):
        await CallLedger(path).call(call(scripted(target=["one"])))


async def test_a_reply_that_cannot_be_read_back_is_said(ledger: CallLedger, tmp_path: Path) -> None:
    await ledger.call(call(scripted(target=["one"])))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("UPDATE calls SET reply = substr(reply, 9)")
    connection.close()
    with pytest.raises(StorageError, match="is damaged"):
        await ledger.call(call(scripted(target=["one"])))


async def test_every_try_passes_the_gate(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    @asynccontextmanager
    async def gate(spec: str) -> AsyncIterator[None]:
        try:
            yield
            seen.append((spec, "well"))
        except ModelError as fault:
            seen.append((spec, str(fault.status)))
            raise

    book = CallLedger(tmp_path / "ledger.sqlite", sleep=no_wait, gate=gate)
    await book.call(call(scripted(target=[http_fault(503), "there"])))
    await book.call(call(scripted(target=[http_fault(503), "there"])))
    book.close()
    assert seen == [("scripted:one", "503"), ("scripted:one", "well")]


async def test_a_reply_is_stored_though_nobody_waits_for_it_any_more(ledger: CallLedger) -> None:
    busy, free = threading.Event(), threading.Event()

    def target(fields: dict[str, Any], messages: Any) -> str:
        ledger._thread.submit(lambda: (busy.set(), free.wait()))
        return "one"

    def reply_waits_to_be_stored() -> None:
        busy.wait()
        while not ledger._thread._work_queue.qsize():
            time.sleep(0.001)

    model = scripted(target=target)
    asking = asyncio.create_task(ledger.call(call(model)))
    await asyncio.to_thread(reply_waits_to_be_stored)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    free.set()
    assert (await ledger.call(call(model))).message.text == "one"
    assert model.said["target"] == 1


async def test_a_row_holds_the_request_and_the_reply(ledger: CallLedger, tmp_path: Path) -> None:
    await ledger.call(call(scripted(target=["one"])))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT role, spec, run, rollout, tries, request, reply FROM calls").fetchall()
    connection.close()
    assert rows[0][:5] == ("target", "scripted:one", "r1", 0, 1)
    assert "Hello" in rows[0][5]
    assert AIMessage.model_validate_json(rows[0][6]).text == "one"


def test_a_reply_survives_the_death_of_its_process(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, sys
from tests.unit.test_call_ledger import CallLedger, Path, call, scripted
async def main():
    reply = await CallLedger(Path({str(tmp_path / "l.sqlite")!r})).call(call(scripted(target=[sys.argv[1]])))
    sys.stdout.write(reply.message.text); sys.stdout.flush()
    os._exit(9)
asyncio.run(main())
"""
    said = [
        subprocess.run([sys.executable, "-c", script, text], capture_output=True, cwd=Path(__file__).parents[2]).stdout
        for text in ("a", "b")
    ]
    assert said == [b"a", b"a"]
