"""Lists and deletes the clips that were uploaded to Google from this machine."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from aurelia_core.models.google.account import HANDLES_FILE, google_address, google_key, handle_owner
from aurelia_core.models.google.files import HANDLE_TABLE, REQUEST_SECONDS, open_handle_table
from aurelia_core.settings import Settings

_LIFETIME_SECONDS = 48 * 3600.0


class Upload(NamedTuple):
    """One file at Google: its name there, and the seconds since it was uploaded."""

    name: str
    age: float


class DeletedUploads(NamedTuple):
    """How many uploads are gone, and how many remain: of another key, or refused. Google deletes those in two days."""

    deleted: int
    remaining: int


def list_uploads(settings: Settings) -> list[Upload]:
    """The files at Google that were uploaded from this machine and have not expired.

    Raises:
        StorageError: the list cannot be used.
    """
    now = time.time()
    return [
        Upload(name, now - (expires - _LIFETIME_SECONDS))
        for _, name, expires in _stored_handles(settings.home / HANDLES_FILE)
        if expires > now
    ]


def delete_uploads(settings: Settings, names: Collection[str] | None = None) -> DeletedUploads:
    """Delete uploads of the current key at Google, and their entries in the list of uploads.

    Args:
        settings: the operator's settings; the key is read from the environment.
        names: names of the files at Google (default: every upload).

    Raises:
        InputError: the package that deletes them is missing.
        StorageError: the list cannot be used.
    """
    path = settings.home / HANDLES_FILE
    rows = [row for row in _stored_handles(path) if names is None or row[1] in names]
    gone: list[tuple[str, str]] = []
    client: Any = None
    for owner, name, expires in rows:
        if expires < time.time():
            gone.append((owner, name))
        elif owner == handle_owner(google_key(), google_address()):
            client = client or _client()
            if _delete(client, name):
                gone.append((owner, name))
    if gone:
        with open_handle_table(path, HANDLE_TABLE) as connection:
            connection.executemany("DELETE FROM handles WHERE owner = ? AND name = ?", gone)
    return DeletedUploads(len(gone), len(rows) - len(gone))


def _stored_handles(path: Path) -> list[tuple[str, str, float]]:
    """Owner, name and end of life of each stored handle; [] if there is no file."""
    if not path.is_file():
        return []
    with open_handle_table(path, HANDLE_TABLE) as connection:
        return connection.execute("SELECT owner, name, expires FROM handles").fetchall()


def _client() -> Any:
    try:
        from google.genai import Client
    except ModuleNotFoundError:
        raise InputError(f"Uploads at Google cannot be deleted: {install_command('google')}") from None
    options: Any = {"base_url": google_address(), "timeout": int(REQUEST_SECONDS * 1000)}
    return Client(api_key=google_key(), vertexai=False, http_options=options)


def _delete(client: Any, name: str) -> bool:
    """Delete a file; whether it is gone."""
    from google.genai.errors import APIError
    from httpx import HTTPError

    try:
        client.files.delete(name=name)
    except APIError as fault:
        return fault.code in (403, 404)
    except HTTPError:
        return False
    return True
