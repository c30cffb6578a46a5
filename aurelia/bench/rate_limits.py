"""Limits on how fast each provider is called: calls a minute, concurrent calls, and pauses that a provider asks for.

The number of concurrent calls adapts, as in TCP: it starts at its maximum, is halved when the provider reports overload
(status 429, 503 or 529, or a Retry-After) and grows by one after each round of successful calls. Retries are made by
the call ledger, which takes a new slot for every try. A fixed limiter (`anyio.CapacityLimiter`, `asyncio.Semaphore`)
cannot hold its waiting callers back during a pause.
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
    """The limit on calls to one provider.

    Attributes:
        limit: Calls that may run at once, 1 to `max_concurrent`.
        active_calls: Calls that run now.
        paused_until: Time of the event loop before which no call starts.
    """

    def __init__(self, max_concurrent: int, calls_per_minute: float | None) -> None:
        """Starts at the largest limit.

        Args:
            max_concurrent: Most calls at once.
            calls_per_minute: Most calls a minute, or None; the calls of one second may come in a burst.
        """
        self.max_concurrent = max_concurrent
        self.limit = float(max_concurrent)
        self.active_calls = 0
        self.paused_until = 0.0
        self._rate: AsyncLimiter | None = None
        if calls_per_minute:
            burst = max(1.0, calls_per_minute / 60 * BURST_SECONDS)
            self._rate = AsyncLimiter(burst, burst * 60 / calls_per_minute)
        self._halved_at = float("-inf")
        self._turn = asyncio.Lock()
        self._released = asyncio.Event()

    async def acquire(self) -> None:
        """Waits until a call may start, in order of arrival."""
        async with self._turn:
            while self.active_calls >= int(self.limit):
                self._released.clear()
                await self._released.wait()
            await self._wait_for_pause()
            if self._rate:
                await self._rate.acquire()
                await self._wait_for_pause()
            self.active_calls += 1

    async def _wait_for_pause(self) -> None:
        left = self.paused_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)
            # The pause may have been extended meanwhile.
            await self._wait_for_pause()

    def release(self) -> None:
        """Ends a call; the next one may start."""
        self.active_calls -= 1
        self._released.set()

    def on_success(self) -> None:
        """Raises the limit by one for each round of successful calls."""
        self.limit = min(float(self.max_concurrent), self.limit + 1 / self.limit)

    def on_overload(self, began: float, retry_after: float | None) -> None:
        """Halves the limit, once for all calls that ran together, and pauses if the provider asks for it.

        Args:
            began: Start of the refused call, in the event loop's time.
            retry_after: Seconds that the provider asks to wait, or None.
        """
        now = asyncio.get_running_loop().time()
        if began >= self._halved_at:
            self.limit = max(1.0, self.limit / 2)
            self._halved_at = now
        if retry_after:
            self.paused_until = max(self.paused_until, now + min(retry_after, LONGEST_PAUSE_SECONDS))


class RateLimiter:
    """The limits of all providers. The call ledger takes a `slot` for every try.

    Attributes:
        fatal_error: The first error that every other call would meet too (for instance a wrong key), or None.
        limits: The limit of each provider that was called, by provider.
    """

    def __init__(
        self,
        max_concurrent: int,
        rpm: Mapping[str, float] | None = None,
        *,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Opens the limiter.

        Args:
            max_concurrent: Most calls at once to each provider.
            rpm: Most calls a minute, by provider.
            on_refused: Called when a provider refuses the key or the model's name.
        """
        self.fatal_error: Exception | None = None
        self.limits: dict[str, ProviderLimit] = {}
        self._max_concurrent = max_concurrent
        self._rpm = dict(rpm or {})
        self._on_refused = on_refused
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def slot(self, model_id: str) -> AsyncIterator[None]:
        """Holds a slot for one try of a call to a model (`provider:model`)."""
        provider = model_id.partition(":")[0]
        limit = self.limits.setdefault(provider, ProviderLimit(self._max_concurrent, self._rpm.get(provider)))
        await limit.acquire()
        if self._closed:
            limit.release()
            await asyncio.Event().wait()
        self._idle.clear()
        began = asyncio.get_running_loop().time()
        try:
            yield
            limit.on_success()
        except Exception as fault:
            self._adapt(limit, began, fault)
            raise
        finally:
            limit.release()
            if not self.active_calls:
                self._idle.set()

    @property
    def active_calls(self) -> int:
        """Calls to all providers that run now."""
        return sum(limit.active_calls for limit in self.limits.values())

    def close(self) -> None:
        """Lets no further call start; a caller that asks for a slot waits until it is cancelled."""
        self._closed = True

    async def wait_idle(self) -> None:
        """Waits until no call runs."""
        await self._idle.wait()

    def report_fatal(self, fault: Exception) -> None:
        """Stops the work because of an error that every other call would meet too; the first error is kept."""
        self.fatal_error = self.fatal_error or fault
        self._on_refused()

    def _adapt(self, limit: ProviderLimit, began: float, fault: Exception) -> None:
        if isinstance(fault, SettingsError) or (isinstance(fault, ModelError) and fault.status in AUTH_STATUSES):
            self.report_fatal(fault)
        elif isinstance(fault, ModelError) and (fault.retry_after or fault.status in OVERLOAD_STATUSES):
            limit.on_overload(began, fault.retry_after)
