"""Child processes that decode: limits of time and memory, a typed error when one dies, and none left behind.

FFmpeg and decord can abort, hang or eat memory on a crafted file; here that costs one question, never the program. The
processes are started on first use, kept for later jobs, shared by all stores with the same limits, and ended at exit.
"""

import atexit
import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as Expired
from pathlib import Path
from typing import Any, TypeVar

from loky.backend import get_context
from pebble import ProcessExpired, ProcessPool

from aurelia_core.errors import MediaError
from aurelia_core.media.cache import cache_write_error
from aurelia_core.settings import GIB, Settings

_Result = TypeVar("_Result")
_MAX_JOBS_PER_CHILD = 200
"""Jobs after which a child is replaced, against memory that a library never gives back."""

_pools: dict[tuple[int, int, int], "DecodePool"] = {}
_lock = threading.Lock()


def shared_decode_pool(settings: Settings) -> "DecodePool":
    """The process-wide pool for these limits; made on first use."""
    key = (os.getpid(), settings.decode_workers, settings.decode_bytes)
    with _lock:
        if key not in _pools:
            _pools[key] = DecodePool(settings.decode_workers, settings.decode_bytes)
        return _pools[key]


@atexit.register
def close_decode_pools() -> None:
    """End every decoding child; a later job starts new ones."""
    with _lock:
        pools = [pool for key, pool in _pools.items() if key[0] == os.getpid()]
        _pools.clear()
    for pool in pools:
        pool.close()


class DecodePool:
    """A pool of decoding children, thread-safe."""

    def __init__(self, workers: int, memory: int) -> None:
        """Start nothing yet.

        Args:
            workers: children at once.
            memory: limit of a child's address space, bytes.
        """
        self._workers = workers
        self._memory = memory
        self._pool: ProcessPool | None = None
        self._lock = threading.Lock()

    def run(self, name: str, seconds: float, job: Callable[..., _Result], *args: Any) -> _Result:
        """Run one job in a child and wait for it.

        Args:
            name: the clip's name for messages.
            seconds: time limit of the job, without waiting for a free child.
            job: a top-level function that imports little.
            *args: what pickles.

        Raises:
            MediaError: the clip is damaged or changed, or its child hung, died or needed too much memory.
            StorageError: the child could not write what it made.
        """
        from aurelia_core.media.source import Changed, Damaged, Unwritten

        try:
            result: _Result = self._schedule(job, args, seconds).result()
        except Expired as error:
            raise MediaError(
                f"{name} took longer than the {seconds:g} s that decoding may take and was given up; "
                "give a shorter or smaller clip"
            ) from error
        except (ProcessExpired, EOFError, CancelledError) as error:
            code = getattr(error, "exitcode", None)
            raise MediaError(
                f"{name} made its decoder crash (exit code {code}); it is damaged: convert or download it again"
            ) from error
        except MemoryError as error:
            raise MediaError(
                f"{name} needs more than the {self._memory / GIB:.1f} GiB of memory that decoding may take; "
                "give a smaller picture or a shorter clip"
            ) from error
        except Damaged as error:
            raise MediaError(f"{name} {error}") from error
        except Unwritten as error:
            raise cache_write_error(str(error)) from error
        except Changed as error:
            raise MediaError(f"{name} changed or moved since it was admitted; give it again") from error
        return result

    def close(self) -> None:
        """End all children, also those that work."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def _schedule(self, job: Callable[..., Any], args: tuple[Any, ...], seconds: float) -> Any:
        with self._lock:
            if self._pool is None or not self._pool.active:
                self._pool = ProcessPool(
                    max_workers=self._workers,
                    max_tasks=_MAX_JOBS_PER_CHILD,
                    initializer=_limit,
                    initargs=(self._memory,),
                    # A loky child does not run the parent's main module, which may have no `if __name__` guard.
                    context=get_context("loky"),
                )
            return self._pool.schedule(_job, args=(job, args), timeout=seconds)


def _limit(memory: int) -> None:
    """In the child: bound its memory, leave Ctrl-C to the parent, and say nothing on the terminal."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What FFmpeg and decord write about a damaged clip is no message of ours, and may repeat what the clip holds.
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    os.close(silent)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        # Not every system has the limit (Windows, macOS); the time limit still holds there.
        pass


def _job(job: Callable[..., _Result], args: tuple[Any, ...]) -> _Result:
    """In the child: run a job; only errors that the parent knows go back."""
    from aurelia_core.media.source import Changed, Damaged, Unwritten

    try:
        return job(*args)
    except (Damaged, Changed, MemoryError):
        raise
    except Exception as error:
        # numpy says in words alone that it wrote less than it had to.
        if isinstance(error, OSError) and (error.errno in _FULL or " requested and " in str(error)):
            raise Unwritten(error.strerror or "No space left on device") from None
        if getattr(error, "errno", None) == errno.ENOMEM or (type(error) in _VAGUE and _starved()):
            raise MemoryError from None
        text = str(getattr(error, "strerror", None) or type(error).__name__)
        raise Damaged(f"cannot be decoded ({text}); convert or download it again") from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

_VAGUE = (OSError, RuntimeError, SystemError)
"""What libraries raise when an allocation or a thread failed deep inside them, without saying so."""


def _starved() -> bool:
    """In the child: whether its address space came near its limit (known on Linux only)."""
    try:
        import resource

        peak = Path("/proc/self/status").read_text().split("VmPeak:")[1].split()[0]
        return int(peak) * 1024 > resource.getrlimit(resource.RLIMIT_AS)[0] / 2
    except (ImportError, OSError, IndexError, ValueError):
        return False
