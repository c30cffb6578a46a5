"""How fast providers are asked, on a clock of the tests' own: rate, calls at once, push-back, pauses, a closed gate."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aurelia.bench.rate_limits import RateLimiter
from aurelia_core.errors import ModelError, SettingsError


class Clock(selectors.SelectSelector):
    """A selector that never waits: the time moves to the next timer instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            self.now += timeout or 0.0
        return ready


def play(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Runs work on a loop whose time is the clock's."""
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work())


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(
    limiter: RateLimiter, fault: Exception | None = None, spec: str = "a:one", seconds: float = 1.0
) -> float:
    """One call of so many seconds: when it began."""
    try:
        async with limiter.slot(spec):
            began = now()
            await asyncio.sleep(seconds)
            if fault:
                raise fault
    except (ModelError, SettingsError):
        pass
    return began


def test_calls_begin_in_order_at_the_rate_and_other_providers_are_free() -> None:
    async def work() -> tuple[list[float], float]:
        limiter = RateLimiter(50, {"a": 120})
        times = await asyncio.gather(*(call(limiter) for _ in range(42)), call(limiter, spec="b:one"))
        return times[:-1], times[-1]

    times, other = play(work)
    assert times == sorted(times)
    # A burst of one second's worth (2), then two a second.
    assert times[1] == 0.0
    assert times[-1] == pytest.approx(20.0, abs=0.01)
    for start in range(20):
        assert sum(start <= time < start + 1 - 1e-6 for time in times) <= (4 if start == 0 else 2)
    assert other == 0.0


def test_no_more_calls_at_once_than_allowed() -> None:
    async def work() -> list[float]:
        limiter = RateLimiter(3)
        return await asyncio.gather(*(call(limiter) for _ in range(9)))

    assert play(work) == [0.0] * 3 + [1.0] * 3 + [2.0] * 3


@pytest.mark.parametrize("status", [429, 503, 529])
def test_pushing_back_halves_once_a_round_and_going_well_adds_one(status: int) -> None:
    async def work() -> list[float]:
        limiter = RateLimiter(8)
        limits = []
        for faults in (8, 4, 0, 0, 0):
            fault = ModelError("busy", transient=True, status=status) if faults else None
            at_once = int(limiter.limits["a"].limit) if limiter.limits else 8
            await asyncio.gather(*(call(limiter, fault) for _ in range(faults or at_once)))
            limits.append(limiter.limits["a"].limit)
        return limits

    limits = play(work)
    assert limits[:2] == [4.0, 2.0]
    assert all(0.5 < after - before <= 1.0 for before, after in zip(limits[1:], limits[2:], strict=False))


def test_the_limit_never_falls_below_one_nor_rises_above_the_most() -> None:
    async def work() -> tuple[float, float]:
        limiter = RateLimiter(4)
        for _ in range(5):
            await call(limiter, ModelError("busy", transient=True, status=429))
        least = limiter.limits["a"].limit
        await asyncio.gather(*(call(limiter) for _ in range(60)))
        return least, limiter.limits["a"].limit

    assert play(work) == (1.0, 4.0)


def test_a_provider_that_asks_to_wait_is_left_alone_so_long() -> None:
    async def work() -> tuple[float, float, float]:
        limiter = RateLimiter(8)
        await call(limiter, ModelError("busy", transient=True, retry_after=30.0))
        waited, other = await asyncio.gather(call(limiter), call(limiter, spec="b:one"))
        await call(limiter, ModelError("busy", retry_after=86_400.0))
        return waited, other, await call(limiter)

    assert play(work) == (31.0, 1.0, 33.0 + 3600.0)


def test_other_faults_slow_nothing_down() -> None:
    async def work() -> float:
        limiter = RateLimiter(8)
        await call(limiter, ModelError("no JSON", transient=True, status=500))
        return limiter.limits["a"].limit

    assert play(work) == 8.0


@pytest.mark.parametrize(
    "fault", [SettingsError("wrong key"), ModelError("no", status=403), ModelError("no", status=401)]
)
def test_a_refused_key_is_reported_at_once(fault: Exception) -> None:
    async def work() -> tuple[Any, list[str]]:
        said: list[str] = []
        limiter = RateLimiter(8, on_refused=lambda: said.append("refused"))
        await call(limiter)
        assert limiter.fatal_error is None
        await call(limiter, fault)
        return limiter.fatal_error, said

    assert play(work) == (fault, ["refused"])


def test_a_closed_gate_lets_no_call_in_and_those_under_way_out() -> None:
    async def work() -> tuple[float, bool, int]:
        limiter = RateLimiter(2)
        calls = [asyncio.create_task(call(limiter, seconds=5.0)) for _ in range(4)]
        await asyncio.sleep(1.0)
        limiter.close()
        await limiter.wait_idle()
        calm, left = now(), [task for task in calls if not task.done()]
        await asyncio.sleep(50.0)
        waiting = all(not task.done() for task in left)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return calm, waiting, len(left)

    assert play(work) == (5.0, True, 2)
