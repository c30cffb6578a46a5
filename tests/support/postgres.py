"""A real PostgreSQL of one's own, where the machine has one: on a Unix socket alone, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "postgres"


class NoDatabase(Exception):
    """Why there is none here."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    named = shutil.which("initdb")
    if named:
        found = [Path(named).parent]
    elif "AURELIA_TESTS_BARE" in os.environ:
        found = []
    else:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


@contextmanager
def started() -> Iterator[str]:
    """The URL of a new PostgreSQL."""
    folder = programs()
    if folder is None:
        raise NoDatabase("there is no PostgreSQL on this machine (initdb was not found)")
    runs_as: dict[str, Any] = {}
    if os.geteuid() == 0:
        if USER not in [entry.pw_name for entry in pwd.getpwall()]:
            raise NoDatabase("PostgreSQL does not run as root, and there is no user 'postgres' to run it as")
        runs_as = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
    # Not pytest's own folder: another user must reach it, and a socket's path may have 107 letters.
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if runs_as:
        shutil.chown(place, USER)
    data = place / "data"

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=place, **runs_as)

    try:
        call(str(folder / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-k {place} -c listen_addresses='' -c fsync=off"
        call(str(folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql://{USER}@/postgres?host={place}"
        finally:
            call(str(folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place)
