"""One process's work on a run: asks the questions that are left, many at once, and stores how each ended.

A stored answer is never asked again, a stored call never paid again. What failed is tried again in the next session, a
bounded number of times. It scores nothing for good and shows nothing: events tell what happens.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from aurelia.bench.local_runner import Executor, PendingAnswer
from aurelia.bench.media import group_by_clip
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import ARMS, Outcome, RunFile
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.run_plan import Plan
from aurelia.bench.scoring import score_by_rule
from aurelia.bench.tally import Tally

EventCallback = Callable[[dict[str, Any]], None]
INTERRUPTED = "interrupted"
UNKNOWN_PRICE = "the price of a call is not known, so a budget in dollars cannot be kept"


class Session:
    """Works on one run; made for one use."""

    def __init__(
        self,
        run: RunFile,
        rollout: int,
        plan: Plan,
        asker: Executor,
        ledger: RunLedger,
        traffic: RateLimiter,
        tell: EventCallback,
    ) -> None:
        """Asks nothing yet; the arguments are those of `aurelia.bench.runner.run_bench`, opened."""
        self._run, self._rollout, self._plan, self._asker = run, rollout, plan, asker
        self._ledger, self._traffic, self._tell = ledger, traffic, tell
        self._tally = Tally(arm for arm in ARMS if arm in plan.arms)
        self._before = run.seconds()
        self._began = time.monotonic()
        self._number = run.begin_session()
        self._stopped: str | None = None
        self._stop = asyncio.Event()
        self._last_error: str | None = None
        self._given_up = self._to_do = self._done = 0

    async def carry_out(self, asked: Sequence[Record], left_out: int, stop: asyncio.Event) -> dict[str, Any]:
        """Asks what is left of the questions `asked`.

        Returns:
            The end event.

        Raises:
            InputError: a provider refuses the key or the model's name.
            AureliaError: the run file can no longer be written.
        """
        self._stop = stop
        items = self._left(asked)
        self._to_do = len(items)
        self._run.store_meta("left_out", left_out)
        self._run.store_meta("limit", self._plan.limit)
        self._tell({"event": "start", "run": self._run.path.name, "questions": len(asked), "left_out": left_out})
        await self._until(iter(items))
        if self._traffic.refused:
            raise self._traffic.refused
        end = {"event": "end", "run": self._run.path.name, "questions": len(asked), "left_out": left_out}
        left = self._to_do - self._done
        end |= {"stopped_by": self._stopped if left else None, "left": left, "given_up": self._given_up}
        end |= {"last_error": self._last_error}
        end |= self._so_far()
        self._tell(end)
        return end

    def _left(self, asked: Sequence[Record]) -> list[PendingAnswer]:
        """The answers that are wanted still, those about the same clip together; counts those that are there."""
        known = {(found.record, found.arm): found for found in self._run.standings(self._rollout)}
        items = []
        for record in group_by_clip(asked):
            for arm in self._tally.counts:
                found = known.get((record.id, arm))
                if found is None or (found.state == "failed" and found.tries < self._plan.max_tries):
                    items.append(PendingAnswer(record.id, arm, found.tries if found else 0))
                    continue
                self._given_up += found.state == "failed"
                self._tally.add(arm, found.state, score_by_rule(record, found.answer))
        return items

    async def _until(self, items: Iterator[PendingAnswer]) -> None:
        """Works until all is done or it is stopped; then waits for the calls under way, which are stored."""
        work, halt = asyncio.create_task(self._work(items)), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._stopped = self._stopped or INTERRUPTED
                self._tell({"event": "stopping", "calls": self._traffic.under_way})
                self._traffic.close()
                await self._traffic.calm()
        finally:
            halt.cancel()
            cancelled = work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if not cancelled:
            work.result()

    async def _work(self, items: Iterator[PendingAnswer]) -> None:
        if self._plan.budget.cost_usd is not None and not self._ledger.spent["calls"]:
            # Whether prices are known shows only in a reply: one question goes first, alone.
            for _ in self._tally.counts:
                await self._worker(items, once=True)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._asker.at_once):
                    group.create_task(self._worker(items))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None

    async def _worker(self, items: Iterator[PendingAnswer], *, once: bool = False) -> None:
        while not self._over() and (item := next(items, None)):
            await self._one(item)
            if once:
                return

    def _over(self) -> bool:
        """Whether no further question may be begun, because the run's budget is used up."""
        budget, spent = self._plan.budget, self._ledger.spent
        tokens = spent["input_tokens"] + spent["output_tokens"]
        if budget.cost_usd is not None and spent["cost_usd"] is None:
            self._stopped = UNKNOWN_PRICE
        elif budget.cost_usd is not None and (spent["cost_usd"] or 0.0) >= budget.cost_usd:
            self._stopped = f"the budget of ${budget.cost_usd:g} is used up"
        elif budget.tokens is not None and tokens >= budget.tokens:
            self._stopped = f"the budget of {budget.tokens:g} tokens is used up"
        elif budget.seconds is not None and self._seconds() >= budget.seconds:
            self._stopped = f"the budget of {budget.seconds:g} seconds is used up"
        return self._stopped is not None

    async def _one(self, item: PendingAnswer) -> None:
        record = self._run.record(item.record)
        await self._asker.ask(record, item, partial(self._keep, record))

    async def _keep(self, record: Record, outcome: Outcome) -> None:
        if outcome.state == "failed":
            if self._stop.is_set():
                # Ctrl-C reaches the decoding processes too: what fails now says nothing about the question.
                return
            self._last_error = outcome.error
        await self._ledger.run_in_writer_thread(partial(self._run.store_outcomes, outcome, session=self._number))
        mark = score_by_rule(record, outcome.answer) if outcome.answer is not None else None
        self._tally.add(outcome.arm, outcome.state, mark)
        self._done += 1
        told: dict[str, Any] = {
            "event": "outcome",
            "record": record.id,
            "arm": outcome.arm,
            "state": outcome.state,
            "right": mark.right if mark else None,
        }
        told |= {"answer": outcome.answer, "error": outcome.error, "tries": outcome.tries}
        self._tell({**told, **self._so_far()})

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _so_far(self) -> dict[str, Any]:
        return {
            "arms": self._tally.shown(),
            "done": self._done,
            "to_do": self._to_do,
            "usage": self._ledger.spent,
            "seconds": round(self._seconds(), 3),
            "calls_at_once": {name: int(lane.limit) for name, lane in self._traffic.lanes.items()},
        }
