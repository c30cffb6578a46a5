"""The call ledger of a benchmark run: charges each call to its question and arm, and adds up the whole run.

The account's name is the same in every process, so the bill of an interrupted question includes the calls of earlier
sessions. Retries and storage are those of the call ledger (`aurelia_core.models.call_ledger`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from langchain_core.runnables import RunnableConfig

from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.run_schema import run_file_errors
from aurelia_core.errors import ModelError
from aurelia_core.models.call_ledger import CallLedger, LedgerReply, ModelCall
from aurelia_core.types import NO_USAGE, Usage, add_usage


@dataclass
class CallAccount:
    """The account that calls are charged to, and what they have cost so far."""

    name: str
    usage: Usage


_CURRENT_ACCOUNT: ContextVar[CallAccount] = ContextVar("current_account")


class RunLedger(CallLedger):
    """A call ledger in a run file.

    Attributes:
        total_usage: Cost of the whole run; the caller sets the cost of earlier sessions.
    """

    def __init__(
        self, path: Path, limiter: RateLimiter, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Opens nothing yet.

        Args:
            path: Run file.
            limiter: Gives every try its slot.
            sleep: Waits between tries (tests do not wait).
        """
        super().__init__(path, sleep=sleep, gate=limiter.slot)
        self.total_usage: Usage = NO_USAGE

    @contextmanager
    def account(self, name: str) -> Iterator[CallAccount]:
        """Charges all calls inside to this account, also those of tasks started inside."""
        account = CallAccount(name, NO_USAGE)
        token = _CURRENT_ACCOUNT.set(account)
        try:
            yield account
        finally:
            _CURRENT_ACCOUNT.reset(token)
            self.forget_run(name)

    async def call(self, call: ModelCall, config: RunnableConfig | None = None) -> LedgerReply:
        """Makes a call of the ledger, charged to the current account."""
        account = _CURRENT_ACCOUNT.get()
        try:
            reply = await super().call(call._replace(run=account.name), config)
        except ModelError as fault:
            account.usage = add_usage(account.usage, fault.usage or NO_USAGE)
            raise
        account.usage = add_usage(account.usage, reply.usage)
        return reply

    def mark_billed(self, run: str, *replies: LedgerReply) -> None:
        """Marks replies as billed to the current account; `run` is ignored."""
        super().mark_billed(_CURRENT_ACCOUNT.get().name, *replies)

    def _on_spent(self, usage: Usage) -> None:
        self.total_usage = add_usage(self.total_usage, usage)

    def _usable(self) -> AbstractContextManager[None]:
        return run_file_errors(self._path)
