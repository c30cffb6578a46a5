"""`aurelia clean` as a user meets it, and the trace of a thread of which only a part is left."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aurelia_core.models.google.account import HANDLES_FILE, handle_owner
from aurelia_core.models.google.files import HANDLE_TABLE, open_handle_table
from tests.support.google_server import KEY, Gemini

QUESTION = "How many sounds are heard?"
KINDS = ["ledger", "clips", "cache", "threads", "uploads"]


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "AURELIA_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}
    known.pop("AURELIA_MEDIA_ROOTS", None)
    return subprocess.run([sys.executable, "-m", "aurelia", *arguments], capture_output=True, text=True, env=known)


def found(home: Path, *arguments: str) -> dict[str, Any]:
    done = run(home, "clean", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return {row["kind"]: row for row in json.loads(done.stdout)["found"]}


@pytest.fixture
def home(tmp_path: Path, duet: Path) -> Path:
    """A home with an uploaded clip, two threads, a ledger and a cache."""
    for thread in ("one", "two"):
        done = run(tmp_path, "ask", "--video", str(duet), "--question", QUESTION, "--thread", thread)
        assert done.returncode == 0, done.stderr
    clip = "a" * 64
    (tmp_path / "media-store").mkdir()
    (tmp_path / "media-store" / clip).write_bytes(b"x" * 1000)
    (tmp_path / "owners" / clip).mkdir(parents=True)
    (tmp_path / "owners" / clip / "alice.json").write_text("{}")
    return tmp_path


def test_what_is_stored_is_shown_and_nothing_is_changed_without_being_asked(home: Path) -> None:
    shown = run(home, "clean").stdout
    assert [line.split()[0] for line in shown.splitlines()[:-1]] == KINDS
    assert "Nothing was deleted. --delete deletes these:" in shown
    first = found(home)
    assert {kind: row["items"] for kind, row in first.items()} == {
        "ledger": 5, "clips": 1, "cache": 2, "threads": 2, "uploads": 0,
    }  # fmt: skip
    assert all(row["bytes"] > 0 and row["oldest_days"] < 1 for kind, row in first.items() if kind != "uploads")
    assert found(home) == first
    assert {kind: row["items"] for kind, row in found(home, "--older-than", "1").items()} == dict.fromkeys(KINDS, 0)


def test_only_what_is_old_and_named_is_deleted(home: Path) -> None:
    old = time.time() - 40 * 86_400
    with closing(sqlite3.connect(home / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE calls SET created = ? WHERE role = 'target'", (old,))
    clip = home / "media-store" / ("a" * 64)
    os.utime(clip, (old, old))
    assert found(home, "ledger", "clips", "--older-than", "30", "--delete")["ledger"]["items"] == 2
    left = found(home)
    assert {kind: row["items"] for kind, row in left.items()} == {
        "ledger": 3, "clips": 0, "cache": 2, "threads": 2, "uploads": 0,
    }  # fmt: skip
    assert not clip.exists() and not list((home / "owners").iterdir())


def test_everything_can_be_deleted_and_questions_are_answered_after_it(home: Path, duet: Path) -> None:
    run(home, "clean", "--delete")
    assert {kind: row["items"] for kind, row in found(home).items()} == dict.fromkeys(KINDS, 0)
    done = run(home, "ask", "--video", str(duet), "--question", QUESTION, "--thread", "one")
    assert (done.returncode, done.stdout.strip()) == (0, "2")


@pytest.mark.enable_socket
def test_uploads_at_google_are_shown_and_deleted_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Gemini()
    monkeypatch.setenv("AURELIA_GOOGLE_URL", server.url)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    owner = handle_owner(KEY, server.url)
    expires = time.time() + 46 * 3600
    with open_handle_table(tmp_path / HANDLES_FILE, HANDLE_TABLE) as handles:
        rows = [(owner, "a"), (owner, "b"), ("somebody else", "a")]
        for number, (who, content) in enumerate(rows):
            row = (who, content, f"files/{number}", "uri", "video/mp4", expires - number * 3600)
            handles.execute("INSERT INTO handles VALUES (?,?,?,?,?,?)", row)
            server.files[f"files/{number}"] = {"name": f"files/{number}"}
    shown = found(tmp_path, "uploads")["uploads"]
    assert (shown["items"], shown["oldest_days"]) == (3, pytest.approx(4 / 24, abs=0.01))
    assert server.calls["delete"] == 0, "nothing is deleted without being asked"
    assert found(tmp_path, "uploads", "--older-than", "0.1", "--delete")["uploads"]["items"] == 2
    assert sorted(server.files) == ["files/0", "files/2"], "only the older one of this key"
    done = run(tmp_path, "clean", "uploads", "--delete")
    assert (done.returncode, server.calls["delete"]) == (0, 2)
    assert "Deleted: 1 item" in done.stdout
    assert "Not deleted: 1 upload at Google, of another key or refused." in done.stdout
    server.close()
    with open_handle_table(tmp_path / HANDLES_FILE, HANDLE_TABLE) as handles:
        handles.execute("UPDATE handles SET owner = ?", (owner,))
    left = run(tmp_path, "clean", "uploads", "--delete")
    assert (left.returncode, "Not deleted: 1 upload" in left.stdout) == (0, True), "Google cannot be reached"


def test_a_kind_that_does_not_exist_is_refused_and_an_empty_home_is_empty(tmp_path: Path) -> None:
    done = run(tmp_path, "clean", "logs")
    assert (
        done.returncode,
        "nothing stored as 'logs': name ledger, clips, cache, threads, uploads" in done.stderr,
    ) == (2, True)
    assert {kind: row["items"] for kind, row in found(tmp_path).items()} == dict.fromkeys(KINDS, 0)


def test_the_trace_of_a_pruned_thread_tells_what_is_left(home: Path) -> None:
    whole = json.loads(run(home, "trace", "one", "--json").stdout)
    with closing(sqlite3.connect(home / "threads.sqlite")) as threads, threads:
        threads.execute(
            "DELETE FROM checkpoints WHERE thread_id = 'one' AND checkpoint_id NOT IN (SELECT checkpoint_id FROM"
            " checkpoints WHERE thread_id = 'one' ORDER BY checkpoint_id DESC LIMIT 2)"
        )
    done = run(home, "trace", "one", "--json")
    assert done.returncode == 0, done.stderr
    left = json.loads(done.stdout)
    assert (whole["pruned"], left["pruned"]) == (False, True)
    assert {name: left[name] for name in ("answer", "question", "score", "usage", "stands")} == {
        name: whole[name] for name in ("answer", "question", "score", "usage", "stands")
    }
    assert 0 < len(left["nodes"]) < len(whole["nodes"])
    assert "Older checkpoints of this question were deleted" in run(home, "trace", "one").stdout


def test_a_thread_that_is_resumed_keeps_its_settings_unless_they_are_given(tmp_path: Path, duet: Path) -> None:
    import pty

    ask = ["ask", "--video", str(duet), "--question", QUESTION, "--thread", "one"]
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "aurelia", *ask, "--review", "--no-compare", "--threshold", "9"]
    known = {**os.environ, "AURELIA_HOME": str(tmp_path), "NO_COLOR": "1"}
    stopped = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=known)
    os.close(theirs)
    seen = b""
    while b"[a/e/t]" not in seen:
        seen += os.read(mine, 4096)
    stopped.kill()
    stopped.communicate()
    os.close(mine)
    waiting = run(tmp_path, *ask)
    assert "waits for a person's review" in waiting.stderr, "the review is the thread's own setting"
    assert json.loads(run(tmp_path, "trace", "one", "--json").stdout)["stands"] == "waiting for a review"
