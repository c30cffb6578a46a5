"""Deletes the clips that were uploaded to Google from this machine."""

import time
from typing import Any, NamedTuple

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from aurelia_core.models.google.account import HANDLES_FILE, google_address, google_key, handle_owner
from aurelia_core.models.google.files import HANDLE_TABLE, REQUEST_SECONDS, open_handle_table
from aurelia_core.settings import Settings


class DeletedUploads(NamedTuple):
    """How many uploads are gone, and how many remain: of another key, or refused. Google deletes those in two days."""

    deleted: int
    remaining: int


def delete_uploads(settings: Settings) -> DeletedUploads:
    """Delete every upload of the current key at Google, and its entry in the list of uploads.

    Args:
        settings: the operator's settings; the key is read from the environment.

    Raises:
        InputError: there are uploads, and no key or package to delete them with.
        StorageError: the list cannot be used.
    """
    path = settings.home / HANDLES_FILE
    if not path.is_file():
        return DeletedUploads(0, 0)
    deleted = 0
    with open_handle_table(path, HANDLE_TABLE) as connection:
        rows = connection.execute("SELECT owner, content, name, expires FROM handles").fetchall()
        client: Any = None
        for owner, content, name, expires in rows:
            gone = expires < time.time()
            if not gone and owner == handle_owner(google_key(), google_address()):
                client = client or _client()
                gone = _delete(client, name)
            if gone:
                connection.execute("DELETE FROM handles WHERE owner = ? AND content = ?", (owner, content))
                deleted += 1
    return DeletedUploads(deleted, len(rows) - deleted)


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

    try:
        client.files.delete(name=name)
    except APIError as fault:
        return fault.code in (403, 404)
    return True
