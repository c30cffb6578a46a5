"""The call ledger of a benchmark run: names who pays for each call by its question and arm, and keeps the total.

Because the name does not change from one process to the next, the bill of a question that was interrupted counts what
it had paid before. Retrying and storing are the ledger's (`aurelia_core.models.call_ledger`).
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
    """Who pays for the calls that are made on its behalf, and what they have cost so far."""

    payer: str
    usage: Usage


_CURRENT_ACCOUNT: ContextVar[CallAccount] = ContextVar("paying")


class RunLedger(CallLedger):
    """A ledger in a run file.

    Attributes:
        spent: what the whole run has cost; whoever opens a run sets what it has cost before.
    """

    def __init__(
        self, path: Path, traffic: RateLimiter, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Opens nothing yet.

        Args:
            path: the run file.
            traffic: what every try passes.
            sleep: how to wait between tries (tests do not wait).
        """
        super().__init__(path, sleep=sleep, gate=traffic.gate)
        self.spent: Usage = NO_USAGE

    @contextmanager
    def account(self, payer: str) -> Iterator[CallAccount]:
        """All calls made within are `payer`'s (also in tasks that are started within)."""
        account = CallAccount(payer, NO_USAGE)
        token = _CURRENT_ACCOUNT.set(account)
        try:
            yield account
        finally:
            _CURRENT_ACCOUNT.reset(token)
            self.forget_run(payer)

    async def call(self, call: ModelCall, config: RunnableConfig | None = None) -> LedgerReply:
        """As the ledger's, in the name of the payer."""
        account = _CURRENT_ACCOUNT.get()
        try:
            reply = await super().call(call._replace(run=account.payer), config)
        except ModelError as fault:
            account.usage = add_usage(account.usage, fault.usage or NO_USAGE)
            raise
        account.usage = add_usage(account.usage, reply.usage)
        return reply

    def mark_billed(self, run: str, *replies: LedgerReply) -> None:
        """As the ledger's, in the name of the payer."""
        super().mark_billed(_CURRENT_ACCOUNT.get().payer, *replies)

    def _on_spent(self, usage: Usage) -> None:
        self.spent = add_usage(self.spent, usage)

    def _usable(self) -> AbstractContextManager[None]:
        return run_file_errors(self._path)
