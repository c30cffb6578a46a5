"""Child processes for decoding, with limits on time and memory.

FFmpeg and decord can abort, hang or use up the memory on a crafted file. In a child process this is a `MediaError` for
one clip, and the program continues. Children start on first use, are reused and shared by all stores with the same
limits, and end with the program.

pebble runs the jobs: a time limit or a dead child ends one job, while a pool of the standard library or of loky fails
as a whole. loky starts the children: they do not run the user's main module, which may have no `if __name__` guard.
"""

import atexit
import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, TypeVar

from loky.backend import get_context
from pebble import ProcessExpired, ProcessPool

from aurelia_core.errors import MediaError, system_reason
from aurelia_core.media.cache import cache_write_error
from aurelia_core.settings import GIB, Settings

_Result = TypeVar("_Result")
_MAX_JOBS_PER_CHILD = 200
"""Jobs after which a child is replaced, because libraries leak memory."""

_pools: dict[tuple[int, int, int], "DecodePool"] = {}
_lock = threading.Lock()


def shared_decode_pool(settings: Settings) -> "DecodePool":
    """The pool of this process for these limits; created on first use."""
    key = (os.getpid(), settings.decode_workers, settings.decode_bytes)
    with _lock:
        if key not in _pools:
            _pools[key] = DecodePool(settings.decode_workers, settings.decode_bytes)
        return _pools[key]


@atexit.register
def close_decode_pools() -> None:
    """Stop all decoding children; a later job starts new ones."""
    with _lock:
        pools = [pool for key, pool in _pools.items() if key[0] == os.getpid()]
        _pools.clear()
    for pool in pools:
        pool.close()


class DecodePool:
    """A pool of decoding children, thread-safe."""

    def __init__(self, workers: int, memory: int) -> None:
        """Prepare a pool; children start with the first job.

        Args:
            workers: number of children.
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
            seconds: time limit of the job; the wait for a free child does not count.
            job: a top-level function of a module that imports little.
            *args: arguments of the job; they are pickled.

        Raises:
            MediaError: the clip is damaged or was changed, or its child hung, died or exceeded the memory limit.
            StorageError: the child could not write its result.
        """
        from aurelia_core.media.source import Changed, Damaged, Unwritten

        try:
            result: _Result = self._schedule(job, args, seconds).result()
        except FutureTimeoutError as error:
            raise MediaError(
                f"{name} took longer than the {seconds:g} s allowed for decoding; give a shorter or smaller clip"
            ) from error
        except (ProcessExpired, EOFError, CancelledError) as error:
            code = getattr(error, "exitcode", None)
            raise MediaError(
                f"{name} made its decoder crash (exit code {code}); it is damaged: convert or download it again"
            ) from error
        except MemoryError as error:
            raise MediaError(
                f"{name} needs more than the {self._memory / GIB:.1f} GiB of memory allowed for decoding; "
                "give a smaller picture or a shorter clip"
            ) from error
        except Damaged as error:
            raise MediaError(f"{name} {error}") from error
        except Unwritten as error:
            raise cache_write_error(str(error)) from error
        except Changed as error:
            raise MediaError(f"{name} changed or moved after it was added; give it again") from error
        return result

    def close(self) -> None:
        """Stop all children, busy ones included."""
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
                    initializer=_initialize_child,
                    initargs=(self._memory,),
                    context=get_context("loky"),
                )
            return self._pool.schedule(_run_job, args=(job, args), timeout=seconds)


def _initialize_child(memory: int) -> None:
    """In the child: limit the memory, leave Ctrl-C to the parent and close stderr."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # FFmpeg and decord write about damaged clips to stderr, and may quote the clip's content.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.close(devnull)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        # Windows and macOS do not have this limit; there the time limit is the only one.
        pass


def _run_job(job: Callable[..., _Result], args: tuple[Any, ...]) -> _Result:
    """In the child: run a job and turn every error into one that the parent knows."""
    from aurelia_core.media.source import Changed, Damaged, Unwritten

    try:
        return job(*args)
    except Damaged:
        # FFmpeg reports some failed allocations as a picture that cannot be decoded.
        if _near_memory_limit(0.9):
            raise MemoryError from None
        raise
    except (Changed, MemoryError):
        raise
    except Exception as error:
        # numpy reports an incomplete write in its message only.
        if isinstance(error, OSError) and (error.errno in _DISK_FULL or " requested and " in str(error)):
            raise Unwritten(error.strerror or "No space left on device") from None
        out_of_memory = getattr(error, "errno", None) == errno.ENOMEM
        if out_of_memory or (type(error) in _UNSPECIFIC_ERRORS and _near_memory_limit(0.5)):
            raise MemoryError from None
        raise Damaged(f"cannot be decoded ({system_reason(error)}); convert or download it again") from None


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

_UNSPECIFIC_ERRORS = (OSError, RuntimeError, SystemError)
"""Errors that libraries raise, without the reason, when an allocation or the start of a thread fails in them."""


def _near_memory_limit(share: float) -> bool:
    """In the child: whether its address space was above this share of its limit (known on Linux only)."""
    try:
        import resource

        peak = Path("/proc/self/status").read_text().split("VmPeak:")[1].split()[0]
        return int(peak) * 1024 > resource.getrlimit(resource.RLIMIT_AS)[0] * share
    except (ImportError, OSError, IndexError, ValueError):
        return False
