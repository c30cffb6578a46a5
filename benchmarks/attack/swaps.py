"""Links swapped in between the check of a name and its use, as fast as the system can, by another thread."""

import ctypes
import hashlib
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.guard import open_media_file
from benchmarks.attack.row import Row

if TYPE_CHECKING:
    from benchmarks.attack.doors import Stage

_EXCHANGE, _HERE = 2, -100


def attack_swaps(stage: "Stage", seconds: float, most: int) -> list[Row]:
    """A folder, and then a file, that is by turns its own and a link to a canary."""
    own = stage.root / "good.mp4"
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    folders = (stage.root / "swapped", stage.root / "swapped-link")
    folders[0].mkdir()
    shutil.copy(own, folders[0] / "secret.mp4")
    folders[1].symlink_to(stage.outside)
    files = (stage.root / "swapped.mp4", stage.root / "swapped-link.mp4")
    shutil.copy(own, files[0])
    files[1].symlink_to(stage.outside / "secret.mp4")
    rows = []
    for what, pair, name in (
        ("folder", folders, f"{folders[0]}/secret.mp4"),
        ("file", files, str(files[0])),
    ):
        inode = os.stat(f"{pair[0]}/secret.mp4" if what == "folder" else pair[0]).st_ino
        stage.touched()
        with _Swapping(*pair) as swapping:
            tries, let_in, wrong = _tries(stage, name, inode, digest, seconds / 2, most)
        touched = stage.touched()
        told = f"a {what} and a link swapped {swapping.swaps:,} times during {tries:,} openings ({let_in:,} let in)"
        fine = touched + wrong == 0 and swapping.swaps > 0 and tries > 0
        rows.append(
            Row("paths", f"{told}: canaries touched, or taken for the clip", f"{touched}, {wrong}", "0, 0", fine)
        )
    return rows


def _tries(stage: "Stage", name: str, inode: int, digest: str, seconds: float, most: int) -> tuple[int, int, int]:
    """Opens the name again and again, at times through the server's store: tries, let in, and canaries among them."""
    until, tries, let_in, wrong = time.monotonic() + seconds, 0, 0, 0
    store = ClipStore(stage.settings, copy=True)
    while time.monotonic() < until and tries < most:
        tries += 1
        try:
            if tries % 50 == 0:
                wrong += store.admit(name)["id"] != digest
            else:
                with open_media_file(name, stage.settings) as file:
                    wrong += os.fstat(file.fd).st_ino != inode
            let_in += 1
        except MediaError:
            continue
    return tries, let_in, wrong


class _Swapping:
    """A thread that exchanges two names as often as it can, while the block runs."""

    def __init__(self, one: Path, other: Path) -> None:
        self._names = os.fsencode(one), os.fsencode(other)
        self._system: Any = ctypes.CDLL(None, use_errno=True)
        self._going = True
        self._thread = threading.Thread(target=self._swap)
        self.swaps = 0

    def _swap(self) -> None:
        one, other = self._names
        while self._going:
            for pause in (0.0, 0.0, 0.00002, 0.0001, 0.0005):
                if self._system.renameat2(_HERE, one, _HERE, other, _EXCHANGE):
                    raise OSError(ctypes.get_errno(), "names cannot be exchanged on this system")
                self.swaps += 1
                time.sleep(pause)
        if self.swaps % 2:
            self._system.renameat2(_HERE, one, _HERE, other, _EXCHANGE)

    def __enter__(self) -> "_Swapping":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._going = False
        self._thread.join()
