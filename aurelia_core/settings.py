"""Settings of the operator of a machine: folders, allowed media roots, limits. A run's input never contains them.

Explicit > environment > default, resolved once by `Settings.from_environment`; nothing is read at import. A dataclass
and not pydantic-settings: the command line's help and every decoding child import this module and must start quickly.
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
"""Id of a model on the Hugging Face hub: ORGANISATION/MODEL."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings.

    Attributes:
        home: folder of all stored data: call ledger, threads, clip cache, uploaded media.
        media_roots: folders whose files may be read, and in which relative names are looked up.
        allow_any_file: whether any local file may be read (the command line without AURELIA_MEDIA_ROOTS).
        any_weights_folder: whether local weights may be in any folder although media may not (a run with --media).
        max_media_bytes: size limit of a media file, in bytes.
        max_store_bytes: size limit of all uploaded media together, in bytes; above it uploads are refused.
        max_clip_seconds: length limit of a clip, in seconds.
        decode_seconds: time limit of one decoding job, in seconds.
        decode_bytes: memory limit of a decoding child process, in bytes.
        decode_workers: number of decoding child processes.
        trace_contact_sheet: whether the contact sheet of a run's clip is sent with its trace to LangSmith.
        trusted_models: models (complete folder paths, hub ids) whose own Python code may run on this machine.
    """

    home: Path
    media_roots: tuple[Path, ...] = ()
    allow_any_file: bool = False
    any_weights_folder: bool = False
    max_media_bytes: int = _MAX_MEDIA_BYTES
    max_store_bytes: int = _MAX_STORE_BYTES
    max_clip_seconds: float = 3600.0
    decode_seconds: float = 120.0
    decode_bytes: int = 4 * GIB
    decode_workers: int = 2
    trace_contact_sheet: bool = False
    trusted_models: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, *, local: bool, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings for this machine.

        Args:
            local: True for the command line: without AURELIA_MEDIA_ROOTS it may read any local file. False for the
                server: without AURELIA_MEDIA_ROOTS it reads its own media folder only.
            environment: the variables to read (default: the process's own): AURELIA_HOME, AURELIA_MEDIA_ROOTS (a path
                list), AURELIA_MAX_MEDIA_MB, AURELIA_MAX_STORE_MB, AURELIA_TRACE_SHEET, AURELIA_TRUST_MODEL_CODE (a
                list of folders and hub ids with the separator of a path list), XDG_DATA_HOME.

        Raises:
            InputError: a number or a switch has no valid value, or AURELIA_TRUST_MODEL_CODE names no model.
        """
        env = environment
        if env is None:
            env = os.environ
        data = Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        home = Path(env.get("AURELIA_HOME") or data / "aurelia").expanduser()
        roots = [Path(part).expanduser() for part in env.get("AURELIA_MEDIA_ROOTS", "").split(os.pathsep) if part]
        decode_workers = 2
        if local:
            decode_workers = 1
        return cls(
            home=home,
            media_roots=tuple(roots) or (home / "media",),
            allow_any_file=local and not roots,
            max_media_bytes=_megabytes(env, "AURELIA_MAX_MEDIA_MB", _MAX_MEDIA_BYTES),
            max_store_bytes=_megabytes(env, "AURELIA_MAX_STORE_MB", _MAX_STORE_BYTES),
            decode_workers=decode_workers,
            trace_contact_sheet=is_switched_on(env, "AURELIA_TRACE_SHEET"),
            trusted_models=_trusted_models(env, "AURELIA_TRUST_MODEL_CODE"),
        )

    @property
    def cache_folder(self) -> Path:
        """Folder of the decoded clips; safe to delete."""
        return self.home / "cache"

    @property
    def threads_file(self) -> Path:
        """SQLite file of the named runs that can be resumed."""
        return self.home / "threads.sqlite"

    @property
    def ledger_file(self) -> Path:
        """SQLite file of all paid model calls."""
        return self.home / "ledger.sqlite"


def is_switched_on(env: Mapping[str, str], name: str) -> bool:
    """Whether an environment switch is on (default: off).

    Raises:
        InputError: the value is neither on nor off.
    """
    value = env.get(name, "").strip().lower()
    if value not in _YES + _NO:
        raise InputError(f"{name} is {value[:20]!r}: write true or false.")
    return value in _YES


def _trusted_models(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    models = [part.strip() for part in env.get(name, "").split(os.pathsep) if part.strip()]
    for model in models:
        if not Path(model).expanduser().is_absolute() and not HUB_MODEL_ID.fullmatch(model):
            raise InputError(
                f"{name} has {model[:40]!r}: name each model whose code may run, by its complete folder path (from / or"
                " ~) or its hub id (ORGANISATION/MODEL)."
            )
    return tuple(models)


def _megabytes(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise InputError(f"{name} is {text[:20]!r}: give a whole number of megabytes, at least 1.")
    return int(text) * _MB
