"""Every error that a user may meet: what failed, on which input, and what to do next.

Messages carry no absolute path and no key. `exit_status` is what the command line ends with: 2 for a user's mistake, 3
for a model or provider that failed.
"""

from typing import TYPE_CHECKING

from aurelia_core.sanitize import sanitize_json

if TYPE_CHECKING:
    from aurelia_core.types import Usage


class AureliaError(RuntimeError):
    """The base of all errors of this project (a RuntimeError, so that a LangGraph server shows its message)."""

    exit_status = 3

    def __init__(self, *said: object) -> None:
        """Whatever is quoted in the message is legible, and holds none of this process's keys."""
        super().__init__(*map(sanitize_json, said))


class InputError(AureliaError):
    """A question, choice, setting, profile or model name that cannot be used."""

    exit_status = 2


class SettingsError(InputError):
    """A key or a model's name that the provider refuses: no other question would fare better."""


class MediaError(InputError):
    """A clip that may not be read, cannot be decoded, or is not what its container promises."""


class StorageError(AureliaError):
    """A file that this program keeps and can no longer read or write: what is paid for next could not be kept."""


class ModelError(AureliaError):
    """A model or provider that did not answer.

    Attributes:
        transient: whether the same call may succeed later (the ledger retries these).
        retry_after: seconds the provider asked to wait, or None.
        status: the HTTP status that it answered with, or None.
        usage: what was spent before it failed, or None.
    """

    def __init__(
        self, message: str, *, transient: bool = False, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.transient = transient
        self.retry_after = retry_after
        self.usage: Usage | None = None


class ReplyError(ModelError):
    """A reply that does not satisfy its schema, also after it was asked for again."""
