"""A blocking model call in a thread that nobody has to wait for when a program is interrupted."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from langchain_core.outputs import ChatResult


async def run_in_daemon_thread(call: Callable[[], ChatResult]) -> ChatResult:
    """The call's result, from a thread that does not keep an interrupted program alive until the model has answered."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ChatResult] = loop.create_future()

    def settle(result: ChatResult | None, fault: BaseException | None) -> None:
        if done.cancelled():
            return
        if result is None:
            done.set_exception(fault or RuntimeError("no result"))
        else:
            done.set_result(result)

    def work() -> None:
        result, fault = None, None
        try:
            result = call()
        except BaseException as raised:
            fault = raised
        # The loop is closed when its program was interrupted meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=work, name="model call", daemon=True).start()
    return await done
