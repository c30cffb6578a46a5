"""How fast providers are asked: a rate, a number of calls at once that adapts, and a pause where one asks for it.

Each provider has its own lane. A lane begins with the most calls at once, halves them when the provider pushes back
(status 429, 503 or 529, or a Retry-After) and adds one for every round of calls that went well. It retries nothing: the
ledger does, and passes the gate again for every try.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

from aurelia_core.errors import ModelError, SettingsError

OVERLOAD_STATUSES = frozenset({429, 503, 529})
AUTH_STATUSES = frozenset({401, 403})
LONGEST_PAUSE_SECONDS = 3600.0
BURST_SECONDS = 1.0


class ProviderLimit:
    """The calls to one provider.

    Attributes:
        limit: calls that may be under way at once; 1 to `most`.
        under_way: calls that are.
        eased: how often the provider pushed back and the limit was halved.
    """

    def __init__(self, most: int, rpm: float | None) -> None:
        """An open lane.

        Args:
            most: calls at once, at most.
            rpm: calls a minute at most, or None; one second's worth of them may come in a burst.
        """
        burst = max(1.0, (rpm or 0.0) / 60 * BURST_SECONDS)
        self.most = most
        self.limit = float(most)
        self.under_way = 0
        self.eased = 0
        self.paused_until = 0.0
        self._rate = AsyncLimiter(burst, burst * 60 / rpm) if rpm else None
        self._eased_at = float("-inf")
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()

    async def enter(self) -> None:
        """Waits for its turn: first come, first served."""
        async with self._turn:
            while self.under_way >= int(self.limit):
                self._room.clear()
                await self._room.wait()
            await self._pause()
            if self._rate:
                await self._rate.acquire()
                await self._pause()
            self.under_way += 1

    async def _pause(self) -> None:
        left = self.paused_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)
            await self._pause()

    def leave(self) -> None:
        """Makes room for the next."""
        self.under_way -= 1
        self._room.set()

    def went_well(self) -> None:
        """One more at once for every round of calls that went well."""
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def pushed_back(self, began: float, retry_after: float | None) -> None:
        """Half as many at once, but only once for all that were under way together; and a pause if one is asked for.

        Args:
            began: when the call began that was pushed back, in the loop's time.
            retry_after: seconds the provider asks to wait, or None.
        """
        now = asyncio.get_running_loop().time()
        if began >= self._eased_at:
            self.limit = max(1.0, self.limit / 2)
            self.eased += 1
            self._eased_at = now
        if retry_after:
            self.paused_until = max(self.paused_until, now + min(retry_after, LONGEST_PAUSE_SECONDS))


class RateLimiter:
    """The lanes of all providers; `gate` is what the ledger passes for every try.

    Attributes:
        refused: the error that no other call would escape (a wrong key), once there is one.
    """

    def __init__(
        self,
        most: int,
        rpm: Mapping[str, float] | None = None,
        *,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        """All lanes open.

        Args:
            most: calls at once to each provider, at most.
            rpm: calls a minute at most, by provider.
            on_refused: called when a provider refuses the key or the model's name.
        """
        self.refused: Exception | None = None
        self.lanes: dict[str, ProviderLimit] = {}
        self._most, self._rpm, self._on_refused = most, dict(rpm or {}), on_refused
        self._closed = False
        self._calm = asyncio.Event()
        self._calm.set()

    @asynccontextmanager
    async def gate(self, spec: str) -> AsyncIterator[None]:
        """One try of a call to the model `spec` (`provider:model`)."""
        provider = spec.partition(":")[0]
        lane = self.lanes.setdefault(provider, ProviderLimit(self._most, self._rpm.get(provider)))
        await lane.enter()
        if self._closed:
            lane.leave()
            await asyncio.Event().wait()
        self._calm.clear()
        began = asyncio.get_running_loop().time()
        try:
            yield
            lane.went_well()
        except Exception as fault:
            self._judge(lane, began, fault)
            raise
        finally:
            lane.leave()
            if not self.under_way:
                self._calm.set()

    @property
    def under_way(self) -> int:
        """Calls under way, to all providers."""
        return sum(lane.under_way for lane in self.lanes.values())

    def close(self) -> None:
        """No further call passes the gate; what comes to it waits until it is cancelled."""
        self._closed = True

    async def calm(self) -> None:
        """Waits until no call is under way."""
        await self._calm.wait()

    def refuse(self, fault: Exception) -> None:
        """Stops the work, because no other call would escape this error; the first one counts."""
        self.refused = self.refused or fault
        self._on_refused()

    def _judge(self, lane: ProviderLimit, began: float, fault: Exception) -> None:
        if isinstance(fault, SettingsError) or (isinstance(fault, ModelError) and fault.status in AUTH_STATUSES):
            self.refuse(fault)
        elif isinstance(fault, ModelError) and (fault.retry_after or fault.status in OVERLOAD_STATUSES):
            lane.pushed_back(began, fault.retry_after)
