"""One process's work on a run: asks the open questions, many at once, and stores each outcome.

A stored answer is never asked again, and a stored call is never paid again. A failed question is asked again in the
next session, up to `max_tries` times. Events report the progress with the counts of the whole run
(`aurelia.bench.tally`), and `done` of `to_do` answers of this session.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from aurelia.bench.local_runner import Executor, PendingAnswer
from aurelia.bench.media import group_by_clip
from aurelia.bench.preflight import calls_to_come, cost_to_come
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import ARMS, Outcome, RunFile
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.run_plan import Plan
from aurelia.bench.tally import PLANNED_ANSWERS, count_run, counts_as_dict, judge_outcome, rule_score
from state.context import Context

EventCallback = Callable[[dict[str, Any]], None]
INTERRUPTED = "interrupted"
# What differs between messages of one error: names, paths and numbers.
_FAILURE_DETAIL = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[/\\]\S*|\S*\d\S*")
UNKNOWN_PRICE = "the price of a call is not known, so a budget in dollars cannot be kept"


class Session:
    """Works on one run. Use it once."""

    def __init__(
        self,
        run: RunFile,
        context: Context,
        plan: Plan,
        executor: Executor,
        ledger: RunLedger,
        limiter: RateLimiter,
        on_event: EventCallback,
    ) -> None:
        """Asks nothing yet; the arguments are those of `aurelia.bench.runner.run_bench`, opened."""
        self._run_file = run
        self._context = context
        self._rollout = context.rollout
        self._plan = plan
        self._executor = executor
        self._ledger = ledger
        self._limiter = limiter
        self._on_event = on_event
        self._arms = [arm for arm in ARMS if arm in plan.arms]
        self._counts = count_run(run, self._arms)
        self._planned = 0
        self._earlier_seconds = run.worked_seconds()
        self._began = time.monotonic()
        self._number = run.begin_session()
        self._stopped_by: str | None = None
        self._stop = asyncio.Event()
        self._last_error: str | None = None
        self._first_failures: list[str] | None = []
        self._given_up = 0
        self._why_unknown: Counter[str] = Counter()
        self._to_do = 0
        self._done = 0

    async def run(self, records: Sequence[Record], left_out: int, stop: asyncio.Event) -> dict[str, Any]:
        """Asks the open questions of `records`.

        Args:
            records: The questions.
            left_out: Number of questions left out because their media are missing.
            stop: Set it to stop.

        Returns:
            The end event.

        Raises:
            InputError: A provider refuses the key or the model's name.
            AureliaError: The run file can no longer be written.
        """
        self._stop = stop
        pending = self._pending_answers(records)
        self._to_do = len(pending)
        held = sum(count.answered + count.failed for count in self._counts.values())
        self._planned = held + sum(not item.tries for item in pending)
        self._run_file.store_meta(PLANNED_ANSWERS, self._planned)
        self._run_file.store_meta("left_out", left_out)
        self._run_file.store_meta("limit", self._plan.limit)
        run = {"run": self._run_file.path.name, "questions": len(records), "left_out": left_out}
        calls = calls_to_come([item.arm for item in pending], self._context)
        self._on_event({"event": "start", **run, "calls_to_come": list(calls), **self._progress()})
        await self._work_until_stopped(iter(pending))
        if self._limiter.fatal_error:
            raise self._limiter.fatal_error
        left = self._to_do - self._done
        stopped_by = None
        if left:
            stopped_by = self._stopped_by
        end = {
            "event": "end",
            **run,
            "stopped_by": stopped_by,
            "left": left,
            "given_up": self._given_up,
            "last_error": self._last_error,
            "why_unknown": next((reason for reason, _ in self._why_unknown.most_common(1)), None),
            **self._progress(),
        }
        self._on_event(end)
        return end

    def _pending_answers(self, records: Sequence[Record]) -> list[PendingAnswer]:
        """The answers still to be made, those about the same clip together; counts the others."""
        known = {(found.record, found.arm): found for found in self._run_file.outcome_summaries(self._rollout)}
        pending = []
        for record in group_by_clip(records):
            for arm in self._arms:
                found = known.get((record.id, arm))
                if found is None:
                    pending.append(PendingAnswer(record.id, arm, 0))
                elif found.state == "failed" and found.tries < self._plan.max_tries:
                    pending.append(PendingAnswer(record.id, arm, found.tries))
                else:
                    self._given_up += found.state == "failed"
        return pending

    async def _work_until_stopped(self, pending: Iterator[PendingAnswer]) -> None:
        """Works until all is done or the session is stopped; then waits for the running calls and stores them."""
        work = asyncio.create_task(self._work(pending))
        halt = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._stopped_by = self._stopped_by or INTERRUPTED
                self._on_event({"event": "stopping", "calls": self._limiter.active_calls})
                self._limiter.close()
                await self._limiter.wait_idle()
        finally:
            halt.cancel()
            cancelled = work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if not cancelled:
            work.result()

    async def _work(self, pending: Iterator[PendingAnswer]) -> None:
        if self._plan.budget.cost_usd is not None and not self._ledger.total_usage["calls"]:
            # Only a reply shows whether prices are known: the first question runs alone.
            for _ in self._arms:
                await self._worker(pending, once=True)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._executor.concurrency):
                    group.create_task(self._worker(pending))
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None

    async def _worker(self, pending: Iterator[PendingAnswer], *, once: bool = False) -> None:
        while not self._budget_used_up() and (item := next(pending, None)):
            record = self._run_file.record(item.record)
            await self._executor.ask(record, item, partial(self._store, record))
            if once:
                return

    def _budget_used_up(self) -> bool:
        """Whether the run's budget allows no further question."""
        budget = self._plan.budget
        usage = self._ledger.total_usage
        tokens = usage["input_tokens"] + usage["output_tokens"]
        if budget.cost_usd is not None and usage["cost_usd"] is None:
            self._stopped_by = UNKNOWN_PRICE
        elif budget.cost_usd is not None and (usage["cost_usd"] or 0.0) >= budget.cost_usd:
            self._stopped_by = f"the budget of ${budget.cost_usd:g} is used up"
        elif budget.tokens is not None and tokens >= budget.tokens:
            self._stopped_by = f"the budget of {budget.tokens:g} tokens is used up"
        elif budget.calls is not None and usage["calls"] >= budget.calls:
            self._stopped_by = f"the budget of {budget.calls:g} calls is used up"
        elif budget.seconds is not None and self._worked_seconds() >= budget.seconds:
            self._stopped_by = f"the budget of {budget.seconds:g} seconds is used up"
        return self._stopped_by is not None

    async def _store(self, record: Record, outcome: Outcome) -> None:
        if outcome.state == "failed":
            if self._stop.is_set():
                # Ctrl-C reaches the decoding processes too: a failure after it says nothing about the question.
                return
            self._last_error = outcome.error
        await self._ledger.run_in_writer_thread(partial(self._run_file.store_outcomes, outcome, session=self._number))
        judged = judge_outcome(outcome, rule_score(record, outcome))
        right: bool | None = None
        if judged.verdict in ("right", "wrong"):
            right = judged.verdict == "right"
        count = self._counts[outcome.arm]
        # A question that is asked again is in the counts as failed.
        count.failed -= outcome.tries > 1
        count.add(judged)
        self._done += 1
        if reason := (outcome.result or {}).get("why_unknown"):
            self._why_unknown[reason] += 1
        event: dict[str, Any] = {
            "event": "outcome",
            "record": record.id,
            "arm": outcome.arm,
            "state": outcome.state,
            "right": right,
            "answer": outcome.answer,
            "error": outcome.error,
            "tries": outcome.tries,
        }
        self._on_event({**event, **self._progress()})
        self._watch_first_failures(outcome)

    def _watch_first_failures(self, outcome: Outcome) -> None:
        """Stops the session if its first answers all fail with one error: all others would fail too."""
        limit = self._plan.stop_after_failures
        if self._first_failures is None or not limit:
            return
        if outcome.state == "answered":
            self._first_failures = None
            return
        self._first_failures.append(_FAILURE_DETAIL.sub("…", outcome.error or ""))
        if len(set(self._first_failures)) > 1:
            self._first_failures = None
        elif len(self._first_failures) >= limit:
            self._stopped_by = f"the first {limit} answers all failed with one error: {outcome.error}"
            self._stop.set()

    def _to_come(self) -> dict[str, Any]:
        """Tokens and dollars of the answers still to be made, at the mean of those of the run."""
        made = sum(count.answered + count.failed for count in self._counts.values())
        return cost_to_come(self._ledger.total_usage, made, self._to_do - self._done)

    def _worked_seconds(self) -> float:
        return self._earlier_seconds + time.monotonic() - self._began

    def _progress(self) -> dict[str, Any]:
        return {
            "arms": counts_as_dict(self._counts),
            "planned": self._planned,
            "done": self._done,
            "to_do": self._to_do,
            "usage": self._ledger.total_usage,
            **self._to_come(),
            "seconds": round(self._worked_seconds(), 3),
            "calls_at_once": {name: int(limit.limit) for name, limit in self._limiter.limits.items()},
        }
