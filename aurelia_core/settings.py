"""What only the operator of a machine decides: folders, allowed media roots, limits. Never part of a run's input.

Explicit > environment > default, resolved once by `Settings.from_environment`; nothing is read at import.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aurelia_core.errors import InputError

GIB = 1024**3
_MB = 10**6
_MAX_MEDIA_BYTES = 2 * GIB
_MAX_STORE_BYTES = 50 * GIB
_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")
HUB_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""A model of the hub, as ORGANISATION/MODEL."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings.

    Attributes:
        home: folder of everything that is kept: the call ledger, threads, the clip cache, the served media.
        media_roots: folders whose files may be read, and in which relative names are looked up.
        any_file: whether any local file may be read (the command line without AURELIA_MEDIA_ROOTS).
        max_media_bytes: largest file that is opened or uploaded, in bytes.
        max_store_bytes: what the server's own copies of clips may take together before uploads are refused, in bytes.
        max_clip_seconds: longest clip that is opened, in seconds.
        decode_seconds: time limit of one decoding job in its child process, in seconds.
        decode_bytes: memory limit of a decoding child process, in bytes.
        decode_workers: decoding child processes at once.
        trace_sheet: whether a run's trace gets the contact sheet of its clip, which then leaves this machine.
        trusted_code: models (whole folders, hub ids) whose own Python code is run; only the operator names them.
    """

    home: Path
    media_roots: tuple[Path, ...] = ()
    any_file: bool = False
    max_media_bytes: int = _MAX_MEDIA_BYTES
    max_store_bytes: int = _MAX_STORE_BYTES
    max_clip_seconds: float = 3600.0
    decode_seconds: float = 120.0
    decode_bytes: int = 4 * GIB
    decode_workers: int = 2
    trace_sheet: bool = False
    trusted_code: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, *, local: bool, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings for this machine.

        Args:
            local: True for a person at a command line, who without AURELIA_MEDIA_ROOTS may read any local file; False
                for the served graph, which then reads only its own media folder.
            environment: the variables to read (default: the process's own): AURELIA_HOME, AURELIA_MEDIA_ROOTS (a path
                list), AURELIA_MAX_MEDIA_MB, AURELIA_MAX_STORE_MB, AURELIA_TRACE_SHEET,
                AURELIA_TRUST_MODEL_CODE (a list of folders and hub ids, parted as paths are), XDG_DATA_HOME.

        Raises:
            InputError: a number is none, a switch is neither on nor off, or what is trusted names no model.
        """
        env = os.environ if environment is None else environment
        data = Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        home = Path(env.get("AURELIA_HOME") or data / "aurelia").expanduser()
        named = [Path(part).expanduser() for part in env.get("AURELIA_MEDIA_ROOTS", "").split(os.pathsep) if part]
        roots = tuple(named) or (home / "media",)
        return cls(
            home=home,
            media_roots=roots,
            any_file=local and not named,
            max_media_bytes=_megabytes(env, "AURELIA_MAX_MEDIA_MB", _MAX_MEDIA_BYTES),
            max_store_bytes=_megabytes(env, "AURELIA_MAX_STORE_MB", _MAX_STORE_BYTES),
            decode_workers=1 if local else 2,
            trace_sheet=is_switched_on(env, "AURELIA_TRACE_SHEET"),
            trusted_code=_trusted(env, "AURELIA_TRUST_MODEL_CODE"),
        )

    @property
    def cache(self) -> Path:
        """Folder of decoded clips, named by content; safe to delete."""
        return self.home / "cache"

    @property
    def threads(self) -> Path:
        """The SQLite file of the runs that are kept by name, so that they can be gone on with."""
        return self.home / "threads.sqlite"

    @property
    def ledger(self) -> Path:
        """The SQLite file of every model call that was ever paid for."""
        return self.home / "ledger.sqlite"


def is_switched_on(env: Mapping[str, str], name: str) -> bool:
    """Whether a variable is switched on; unset, it is off.

    Raises:
        InputError: it is neither on nor off.
    """
    said = env.get(name, "").strip().lower()
    if said not in _YES + _NO:
        raise InputError(f"{name} is {said[:20]!r}: write true or false.")
    return said in _YES


def _trusted(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    named = [part.strip() for part in env.get(name, "").split(os.pathsep) if part.strip()]
    for part in named:
        if not Path(part).expanduser().is_absolute() and not HUB_MODEL_ID.fullmatch(part):
            raise InputError(
                f"{name} has {part[:40]!r}: name each model whose code may run, by its whole folder (from / or ~)"
                " or its id of the hub (ORGANISATION/MODEL)."
            )
    return tuple(named)


def _megabytes(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise InputError(f"{name} is {text[:20]!r}: give a whole number of megabytes, at least 1.")
    return int(text) * _MB
