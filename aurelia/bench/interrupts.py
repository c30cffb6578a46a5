"""Ctrl-C in two steps: the first asks the work to stop, the second ends it at once."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run_interruptibly(work: Callable[[asyncio.Event], Coroutine[Any, Any, _T]]) -> _T:
    """Runs work that is given an event to stop by; SIGINT and SIGTERM set it, a second one cancels the work.

    Raises:
        KeyboardInterrupt: it was cancelled.
    """

    async def main() -> _T:
        loop, stop, task = asyncio.get_running_loop(), asyncio.Event(), asyncio.current_task()

        def interrupt() -> None:
            if stop.is_set() and task is not None:
                task.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        return await work(stop)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
