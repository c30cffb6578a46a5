"""`bench run --ray`: the models of a run in Ray actors, of which some are killed."""

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from aurelia.bench import ray_host
from aurelia.bench.ray_host import ClipsMissing, ModelHost, RemoteClip
from aurelia.bench.ray_models import RUN_ID_KEY, UNREACHABLE_TRIES, RayChat, RayPlan, RayPool, _Worker
from aurelia.bench.run_file import RunFile
from aurelia.bench.runner import RunResources
from aurelia_core.errors import InputError, MediaError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.settings import Settings
from tests.support.kill_process import Place, plain, prompt_of, stored
from tests.support.scripted import scripted

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.enable_socket, pytest.mark.slow, pytest.mark.timeout(300)]
QUESTIONS = 6
TWO_WORKERS = ("--ray", "local", "--workers", "2")


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Iterator[Place]:
    made = Place(tmp_path, duet, QUESTIONS)
    yield made
    made.close()


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes of the actors that a run started."""
    found = psutil.Process(pid).children(recursive=True)
    return [process for process in found if "ModelHost" in " ".join(process.cmdline())]


class CannotBeRead:
    """A provider whose package is not on the machine of the actor."""

    def __reduce__(self) -> Any:
        return __import__, ("no_such_package",)

    def __call__(self, name: str, store: ClipStore) -> Any:
        raise NotImplementedError


def test_nothing_that_an_adapter_says_of_its_model_is_lost_on_the_way_to_the_actors() -> None:
    assert {name for name in vars(ClipModel) if not name.startswith("_")} <= set(vars(RayChat))


def test_actors_give_the_run_of_one_process_and_leave_nothing_behind(place: Place) -> None:
    assert place.run("plain.run") == 0
    asked = len(place.server.sent)
    seen: set[int] = set()

    def watch(pid: int) -> Callable[[], None]:
        return lambda: seen.update(process.pid for process in workers_of(pid))

    assert place.run("ray.run", watch, TWO_WORKERS) == 0, (place.folder / "ray.run.log").read_text()
    assert len(seen) == 2
    assert plain(place.folder / "ray.run") == plain(place.folder / "plain.run")
    twice = Counter(prompt_of(sent) for sent in place.server.sent)
    assert len(place.server.sent) == 2 * asked, {prompt: number for prompt, number in twice.items() if number != 2}
    assert not list((place.folder / "home" / "ray").iterdir()), "the replies are in the run file"
    assert "ray" not in (place.folder / "ray.run.log").read_text().replace("ray.run", "").lower()

    assert place.run("ray.run") == 0, "a run goes on without Ray too"
    assert len(place.server.sent) == 2 * asked


def test_killed_actors_are_started_again_and_no_stored_call_is_repeated(place: Place) -> None:
    killed = []

    def aim(pid: int) -> Callable[[], None]:
        calls = iter(range(1, 10_000))

        def kill() -> None:
            if next(calls) in (3, 11):
                victim = workers_of(pid)[0]
                victim.kill()
                killed.append(victim.pid)

        return kill

    assert place.run("x.run", aim, TWO_WORKERS) == 0, (place.folder / "x.run.log").read_text()
    assert len(killed) == 2
    paid = stored(place.folder / "x.run")
    asked = Counter(prompt_of(sent) for sent in place.server.sent)
    assert paid.keys() == asked.keys() and set(paid.values()) == {1}
    ends = [(outcome["state"], outcome["tries"]) for outcome in plain(place.folder / "x.run")]
    assert ends == [("answered", 1)] * 2 * QUESTIONS


def test_a_machine_that_is_lost_for_good_leaves_its_questions_to_the_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    for name, value in {"URL": place.server.url, "MEDIA": "images+audio"}.items():
        monkeypatch.setenv(f"AURELIA_COMPATIBLE_{name}", value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def aim(pid: int) -> Callable[[], None]:
            calls = iter(range(1, 10_000))

            def kill() -> None:
                if next(calls) == 5:
                    cluster.remove_node(second, allow_graceful=False)

            return kill

        options = ("--ray", cluster.address, "--workers", "2")
        assert place.run("x.run", aim, options) == 0, (place.folder / "x.run.log").read_text()
        assert len(cluster.list_all_nodes()) == 1
    finally:
        cluster.shutdown()
    paid = stored(place.folder / "x.run")
    asked = Counter(prompt_of(sent) for sent in place.server.sent)
    assert paid.keys() == asked.keys() and set(paid.values()) == {1}
    ends = [(outcome["state"], outcome["tries"]) for outcome in plain(place.folder / "x.run")]
    assert ends == [("answered", 1)] * 2 * QUESTIONS


def test_replies_of_a_killed_run_that_only_a_machine_holds_come_into_the_run_file(place: Place) -> None:
    def aim(pid: int) -> Callable[[], None]:
        calls = iter(range(1, 10_000))

        def kill() -> None:
            if next(calls) == 9:
                time.sleep(0.1)
                os.kill(pid, signal.SIGKILL)

        return kill

    assert place.run("x.run", aim, TWO_WORKERS) == signal.SIGKILL
    machine = list((place.folder / "home" / "ray").glob("*/*.sqlite"))
    assert machine
    with RunFile.open(place.folder / "x.run") as run:
        assert machine[0].parent.name == run.meta[RUN_ID_KEY]
    before = stored(place.folder / "x.run")
    with closing(sqlite3.connect(place.folder / "x.run")) as connection, connection:
        connection.execute("DELETE FROM calls")
    asked = len(place.server.sent)
    assert place.run("x.run", options=TWO_WORKERS) == 0, (place.folder / "x.run.log").read_text()
    again = {prompt_of(sent) for sent in place.server.sent[asked:]}
    assert before and not before.keys() & again
    assert before.keys() <= stored(place.folder / "x.run").keys()


async def test_a_reply_that_a_dead_actor_stored_is_found_by_another_of_its_machine(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path / "home", allow_any_file=True)
    model = scripted()
    call: dict[str, Any] = {"model_id": "mine:x", "role": "target", "run": "q", "rollout": 0}
    for number in (0, 1):
        host = ModelHost(settings, {"mine": lambda name, store: model}, number)
        message = HumanMessage("What?", additional_kwargs={"request": {"role": "target", "reasoning": None}})
        assert (await host.answer("run", call, [message], [])).content == "without"
    assert model.said["target"] == 1


@pytest.mark.parametrize(("silent", "asked"), [(2, [0, 0, 0]), (99, [0] * (UNREACHABLE_TRIES + 1))])
async def test_an_actor_that_cannot_be_reached_for_a_moment_is_asked_again_and_no_other(
    silent: int, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own ledger knows whether the call was made; another actor would pay for it once more."""
    monkeypatch.setattr("aurelia.bench.ray_models.UNREACHABLE_SECONDS", 0.0)
    seen: list[int] = []

    class Method:
        def __init__(self, number: int) -> None:
            self.number = number

        async def remote(self, *arguments: Any) -> AIMessage:
            seen.append(self.number)
            if len(seen) <= silent:
                raise ray.exceptions.ActorUnavailableError("for a moment", b"0" * 16)
            return AIMessage("paid")

    pool = RayPool.__new__(RayPool)
    pool._ray, pool._run_id = ray, "run"
    pool._workers = [_Worker(number, SimpleNamespace(answer=Method(number))) for number in (0, 1)]
    answer = pool._answer(pool._workers[0], {}, [], [])
    if silent == 2:
        assert (await answer).content == "paid"
    else:
        with pytest.raises(ModelError, match="did not end its call") as caught:
            await answer
        assert caught.value.transient
    assert seen == asked


async def test_a_machine_without_the_file_gets_the_clip_once_and_notices_another_content(
    tmp_path: Path, duet: Path
) -> None:
    settings = Settings(home=tmp_path / "there", allow_any_file=True)
    ref = ClipStore(Settings(home=tmp_path / "here", allow_any_file=True)).admit(duet)
    host, content = ModelHost(settings, {}, 0), await asyncio.to_thread(duet.read_bytes)
    clip = RemoteClip(ref, str(tmp_path / "not-here" / "duet.mp4"))
    call: dict[str, Any] = {"model_id": "offline:measure", "role": "target", "run": "q", "rollout": 0}
    with pytest.raises(ClipsMissing) as missing:
        await host.answer("run", call, [], [clip])
    assert missing.value.args[0] == [ref["id"]]
    with pytest.raises(MediaError, match="arrived changed"):
        await host.receive({**ref, "id": "0" * 64}, content)
    await host.receive(ref, content)
    host._admit([clip])
    other = ModelHost(settings, {}, 1)
    other._admit([clip])


def test_what_cannot_be_run_is_refused_before_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / "home", allow_any_file=True)
    store = ClipStore(settings)
    with pytest.raises(InputError, match="--workers 0"):
        RayPlan(workers=0)
    with pytest.raises(InputError, match="--ray and --server"):
        RunResources(settings, ray=RayPlan(), server="http://127.0.0.1:9")
    with pytest.raises(InputError, match="2 workers with 1 GPU each do not fit into the 0 GPU"):
        RayPool(RayPlan(gpus_per_worker=1.0), settings, store, {})
    assert not ray.is_initialized()
    with pytest.raises(InputError, match="No Ray cluster answers at auto"):
        RayPool(RayPlan("auto"), settings, store, {})
    with pytest.raises(InputError, match=r"Ray workers did not start \(ActorDiedError\): install the same version"):
        RayPool(replace(RayPlan(), workers=1), settings, store, {"x": CannotBeRead()})
    real = ray_host.compared_versions()
    monkeypatch.setattr("aurelia.bench.ray_models.compared_versions", lambda: {**real, "torch": "0.1"})
    with pytest.raises(InputError, match=r"Ray worker 0 has torch .*, this machine has 0\.1: install the same"):
        RayPool(replace(RayPlan(), workers=1), settings, store, {})
    assert not ray.is_initialized()
    shutil.rmtree(settings.home, ignore_errors=True)
