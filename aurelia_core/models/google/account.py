"""The account at Google that this machine uses: key, address, and the file with the names of what was uploaded."""

import hashlib
import os

from aurelia_core.secrets import read_key

HANDLES_FILE = "google_files.sqlite"
"""Name of the file in the home folder with the handles of uploads and context caches."""


def google_key() -> str:
    """The key in GOOGLE_API_KEY or GEMINI_API_KEY, or in the file that one of them with `_FILE` names; may be empty."""
    return read_key("GOOGLE_API_KEY", "GEMINI_API_KEY")


def google_address() -> str | None:
    """The address that replaces Google's (AURELIA_GOOGLE_URL); None: Google's."""
    return os.environ.get("AURELIA_GOOGLE_URL") or None


def handle_owner(key: str, address: str | None) -> str:
    """The owner of handles: Google's files belong to a key, which is stored as a hash."""
    return hashlib.sha256(f"{key}\0{address or ''}".encode()).hexdigest()[:32]
