"""How the command line ends: its answer on stdout, an error as one line on stderr, and an exit status.

Closed and full streams are errors like others. Whoever reads the output may stop reading (`| head`).
"""

import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import typer

from aurelia_core.errors import AureliaError
from aurelia_core.sanitize import escape_invisible, redact

PROGRAM = "aurelia"
UNEXPECTED = 1
INTERRUPTED_STATUS = 130
_STREAM_FAULTS = (errno.EPIPE, errno.ENOSPC, errno.EIO)
STATUS_HELP = (
    "Exit status: 0: done. 1: an unexpected error, or the output cannot be written. 2: wrong input or usage."
    " 3: a model, a provider or a stored file failed, or a caption cannot be checked. 130: interrupted."
)


class OutputError(AureliaError):
    """The answer cannot be written to stdout or stderr."""

    exit_status = UNEXPECTED


def output_error(fault: OSError) -> OutputError:
    """The error for a stream that is closed or full."""
    if isinstance(fault, BrokenPipeError):
        return OutputError("the output was closed before all was written. Finished answers are saved.")
    reason = fault.strerror or type(fault).__name__
    return OutputError(f"the output cannot be written ({reason}): write it elsewhere. Finished answers are saved.")


def print_output(text: str) -> None:
    """Write a text to stdout, ended by one line break.

    Raises:
        OutputError: stdout is closed or full.
    """
    try:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
    except OSError as fault:
        raise output_error(fault) from None


def run_to_exit(run: Callable[[], int | None], *, debug: bool = False) -> NoReturn:
    """Run a command and leave the process; an error is one line on stderr.

    Args:
        run: the command; it returns an exit status, None for 0.
        debug: whether an error shows its traceback.
    """
    try:
        _check_streams()
        status = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        # A second Ctrl-C ends the process at once, also where threads still finish their work.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _exit_interrupted()
    except SystemExit:
        raise
    except Exception as fault:
        if debug:
            raise
        _exit_with_error(fault)
    if status == INTERRUPTED_STATUS:
        # Typer returns an interrupt as a status and prints nothing.
        _exit_interrupted()
    sys.exit(status)


def _check_streams() -> None:
    """Refuse a closed stdout before anything is paid, and reserve its number, which another file would get.

    Raises:
        OutputError: stdout is closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # None: the process was started without it; the type does not say so.
    if getattr(sys, "stdout", None) is None:
        raise OutputError("stdout is closed, and the answer is printed there: redirect it to a file.")


def _exit_with_error(fault: Exception) -> NoReturn:
    if isinstance(fault, AureliaError):
        _exit(str(fault), fault.exit_status)
    if isinstance(fault, typer.Abort):
        _exit_interrupted()
    if isinstance(fault, typer.TyperException):
        _exit_with_usage(fault)
    if isinstance(fault, OSError) and fault.filename is None and fault.errno in _STREAM_FAULTS:
        _exit(str(output_error(fault)), UNEXPECTED)
    _exit(f"an unexpected {type(fault).__name__}: {fault}. Run it again with --debug for the traceback.", UNEXPECTED)


def _exit_interrupted() -> NoReturn:
    _exit("interrupted. Finished answers are saved; run the same command to resume.", INTERRUPTED_STATUS)


def _exit_with_usage(fault: Exception) -> NoReturn:
    """A command without its arguments prints its help; any other wrong usage is one line that names the help."""
    context = getattr(fault, "ctx", None)
    message = getattr(fault, "format_message", lambda: str(fault))()
    if type(fault).__name__ == "NoArgsIsHelpError":
        print_output(message)
        sys.exit(0)
    command = PROGRAM
    if context is not None:
        command = context.command_path
    _exit(f"{message.rstrip('.')}. See {command} --help.", getattr(fault, "exit_code", 2))


def _exit(message: str, status: int) -> NoReturn:
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"{PROGRAM}: {' '.join(escape_invisible(redact(message)).split())}\n")
        sys.stderr.flush()
    _abandon_broken_streams()
    sys.exit(status)


def _abandon_broken_streams() -> None:
    """Send what a broken stream still holds nowhere; the interpreter would report it once more at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
