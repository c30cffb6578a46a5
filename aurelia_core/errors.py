"""The errors that a user can see. A message says what failed, on which input, and what to do next.

Messages contain no absolute path and no API key. `exit_status` is the exit status of the command line: 1 for an error
of this program, 2 for a user's mistake, 3 for a failure of a model or provider.
"""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from aurelia_core.sanitize import sanitize_json

if TYPE_CHECKING:
    from aurelia_core.types import Usage


def system_reason(error: Exception) -> str:
    """The reason of the operating system or of FFmpeg, without the path that `str(error)` contains."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


class AureliaError(RuntimeError):
    """Base class of all errors of this project (a RuntimeError: a LangGraph server shows its message)."""

    exit_status = 3

    def __init__(self, *message: object) -> None:
        """Remove control characters and this process's keys from the message."""
        super().__init__(*map(sanitize_json, message))


class InputError(AureliaError):
    """A question, choice, setting, profile or model name is not usable."""

    exit_status = 2


class SettingsError(InputError):
    """The provider refuses the key or the model name: every other question would fail in the same way."""


class MediaError(InputError):
    """A clip may not be read, cannot be decoded, or differs from what its container declares."""


class StorageError(AureliaError):
    """A file of this program (ledger, threads, cache) cannot be read or written, so no paid result could be saved."""


class InternalError(AureliaError):
    """An error of this program itself, not of the input or of a provider; it is not retried."""

    exit_status = 1

    @classmethod
    def of(cls, fault: Exception, part: str) -> "InternalError":
        """The error for an exception that this program did not expect.

        Args:
            fault: the exception, with its traceback.
            part: the part of the program that failed, for the message.
        """
        frames = traceback.extract_tb(fault.__traceback__)
        where = ""
        if frames:
            where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}"
        return cls(
            f"{part} failed through an error of Aurelia itself ({type(fault).__name__}: {fault}{where}), not of the "
            "clip or of a provider. Please report it; --debug shows the traceback"
        )


class ModelError(AureliaError):
    """A model or provider did not answer.

    Attributes:
        transient: whether the same call may succeed later (the ledger retries these).
        retry_after: seconds to wait as requested by the provider, or None.
        status: the HTTP status of the response, or None.
        unreachable: whether nobody answered at the model's address.
        usage: the usage billed before the failure, or None.
        notes: warnings of the replies before the failure, for the result.
    """

    def __init__(
        self,
        message: str,
        *,
        transient: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.unreachable = unreachable
        self.transient = transient
        self.retry_after = retry_after
        self.usage: Usage | None = None
        self.notes: list[str] = []


class ReplyError(ModelError):
    """A reply does not satisfy its schema, even after one more request."""
