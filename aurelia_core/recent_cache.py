"""A cache of recent measurements in this process."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class RecentCache(Generic[_T]):
    """The latest `most` measurements by key. Thread-safe; two threads may measure the same key at the same time."""

    def __init__(self, most: int) -> None:
        """Start empty."""
        self._most = most
        self._values: OrderedDict[Hashable, _T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, measure: Callable[[], _T]) -> _T:
        """The value of a key; a missing value is measured and stored."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        measured = measure()
        with self._lock:
            self._values[key] = measured
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return measured
