"""What was measured lately, kept for the process. It measures nothing itself."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class RecentCache(Generic[_T]):
    """The latest `most` things measured, by a key each; safe to share between threads, which may measure at once."""

    def __init__(self, most: int) -> None:
        """Begins empty."""
        self._most = most
        self._kept: OrderedDict[Hashable, _T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, measure: Callable[[], _T]) -> _T:
        """What is kept under a key; measured now, and kept, where there is nothing."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        measured = measure()
        with self._lock:
            self._kept[key] = measured
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return measured
