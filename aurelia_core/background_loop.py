"""Call asynchronous code from synchronous code, also where an event loop is already running (a notebook).

One event loop in a daemon thread serves the whole process, so that the open connections of a model client stay usable
from one call to the next; `asyncio.run` would close its loop after each call.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, TypeVar

from aurelia_core.errors import InputError

_Result = TypeVar("_Result")


def run_sync(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end and return its result; Ctrl-C cancels it.

    Raises:
        InputError: the caller runs on the background loop itself and would wait for itself.
    """
    loop = _background_loop(os.getpid())
    if loop is asyncio._get_running_loop():
        coroutine.close()
        raise InputError("A synchronous call inside a callback of another one would never end: await the call instead.")
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@lru_cache(maxsize=1)
def _background_loop(process: int) -> asyncio.AbstractEventLoop:
    """The loop of this process; a forked child has another process id and starts its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="aurelia-background-loop", daemon=True).start()
    return loop
