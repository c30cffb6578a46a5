"""Remembers the calls of a run that failed for good, so that its next attempt does not make them again.

A request that a provider refused is not sent again unchanged, and an address where nobody answered is given up after
the first total failure. Both are forgotten after some minutes, so that a run can be resumed later.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.messages import AnyMessage

from aurelia_core.errors import ModelError
from aurelia_core.models.requests import request_of

_REMEMBERED_SECONDS = 600.0
_DEAD_SECONDS = 60.0
_MOST = 1000


class _Failure(NamedTuple):
    fault: ModelError
    until: float


class FailedCalls:
    """The failed calls of one process, by run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet."""
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str, str], _Failure] = OrderedDict()

    def check(self, run: str, model_id: str, messages: Sequence[AnyMessage]) -> None:
        """Refuse a call that cannot succeed.

        Raises:
            ModelError: the model's address did not answer before, or the provider refused the same request.
        """
        if not self._failures:
            return
        for place in ("", _sent_hash(messages)):
            failure = self._failures.get((run, model_id, place))
            if failure and self._clock() < failure.until:
                text = f"{failure.fault} It was not asked again."
                raise ModelError(text, transient=failure.fault.transient, status=failure.fault.status)

    def remember(self, run: str, model_id: str, messages: Sequence[AnyMessage], fault: ModelError) -> None:
        """Store a failure if the same call would fail in the same way."""
        if fault.unreachable:
            self._store((run, model_id, ""), fault, _DEAD_SECONDS)
        elif fault.status is not None and not fault.transient:
            self._store((run, model_id, _sent_hash(messages)), fault, _REMEMBERED_SECONDS)

    def _store(self, key: tuple[str, str, str], fault: ModelError, seconds: float) -> None:
        known = self._failures.get(key)
        if known and self._clock() < known.until:
            return
        self._failures[key] = _Failure(fault, self._clock() + seconds)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)


def _sent_hash(messages: Sequence[AnyMessage]) -> str:
    """A hash of what is sent: the texts, the clips and the closer look, without the number of the attempt."""
    parts = [[message.type, message.content] for message in messages]
    windows = list(request_of(messages).closer_look)
    return hashlib.sha256(json.dumps([parts, windows], sort_keys=True, default=str).encode()).hexdigest()
