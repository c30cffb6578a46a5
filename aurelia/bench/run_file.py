"""The run file: one SQLite file per run, with its records, settings, answers, scores and every paid call.

A run file is complete: a run can be read, scored and resumed without the files that it was made from. The call ledger
(`aurelia_core.models.call_ledger`) writes its own tables (`calls`, `unanswered`) into the same file; here they are only
read. One process at a time writes (`lock_run_file`), any number may read.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from filelock import FileLock, Timeout

from aurelia.bench.costs import BILLED_TABLES, existing_tables, sum_usages
from aurelia.bench.records import Record
from aurelia.bench.run_schema import CREATE_TABLES, RUN_FORMAT, connect_run_file, read_run_format, run_file_errors
from aurelia_core.errors import InputError
from aurelia_core.sqlite import parse_stored_json
from aurelia_core.types import Usage

Arm = Literal["zero_shot", "aurelia"]
ARMS: tuple[Arm, ...] = ("zero_shot", "aurelia")
OutcomeState = Literal["answered", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one question ended in one arm.

    Attributes:
        record: Id of the record.
        arm: `zero_shot` (the target alone) or `aurelia`.
        rollout: Number of the independent repetition.
        state: `answered` or `failed`; a failed question is asked again when the run is resumed.
        answer: The target's answer, cleaned (`aurelia.bench.answers`); None if it failed.
        choice: The choice that the answer names; None without choices or if it names none.
        result: For `aurelia` the keys of `aurelia.run.result.RESULT_KEYS`; for `zero_shot` its clip, models and
            warnings. Also `raw_answer`, a reply that cleaning changed, and `server`, if a server answered.
        error: Why it failed.
        tries: Number of times the question was asked.
        seconds: Duration of the last try; both arms of one try share it.
        usage: Cost of this arm; the zero-shot call is not in that of `aurelia`.
        created: When it was stored, seconds since 1970.
    """

    record: str
    arm: Arm
    rollout: int
    state: OutcomeState
    answer: str | None
    choice: str | None
    result: dict[str, Any] | None
    error: str | None
    tries: int
    seconds: float
    usage: Usage
    created: float


@dataclass(frozen=True, slots=True)
class StoredScore:
    """One score of one outcome.

    `value` is None if it is undefined, `how` names the method (rule, judge), `said` is its reason.
    """

    record: str
    arm: Arm
    rollout: int
    metric: str
    value: float | None
    how: str
    said: str | None = None


class OutcomeSummary(NamedTuple):
    """The short fields of `Outcome`: all that resuming a run needs."""

    record: str
    arm: Arm
    rollout: int
    state: OutcomeState
    answer: str | None
    choice: str | None
    tries: int


_FIELDS = [field.name for field in fields(Outcome)]
_OUTCOME = ", ".join(f"o.{name}" for name in _FIELDS)
_SUMMARY = ", ".join(f"o.{name}" for name in OutcomeSummary._fields)
_SERVER = "json_extract(result, '$.server')"
_VIDEO = "json_extract(r.record, '$.video')"
_SCORE = ", ".join(f"m.{field.name}" for field in fields(StoredScore))


@contextmanager
def lock_run_file(path: Path) -> Iterator[None]:
    """Reserves the run file for this process, with a lock file beside it; the lock ends with the process.

    Raises:
        InputError: Another process works on the run file, or its folder cannot be written.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0, mode=0o644, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"Another process works on {path.name} right now: wait for it, stop it, or name another file."
        ) from None
    except OSError as fault:
        raise InputError(f"The run file {path.name!r} cannot be written: {fault.strerror}.") from None
    try:
        yield
    finally:
        lock.release()


class RunFile:
    """An open run file, made by `create` or `open`. Any process may read while one writes."""

    def __init__(self, path: Path) -> None:
        """Opens a file that is a run, or is about to become one."""
        self.path = path
        # On one connection, a write during a read fails if another process wrote in between.
        self._connection = connect_run_file(path)
        self._writer = connect_run_file(path)

    @classmethod
    def create(cls, path: Path, records: Iterable[Record], meta: Mapping[str, Any]) -> "RunFile":
        """Creates a run file with its records and metadata, completely or not at all.

        Args:
            path: New file, or one that an interrupted creation left behind.
            records: The questions, in the order of their file.
            meta: JSON values by key: settings, models, prompts, versions, records_sha256, media.

        Raises:
            InputError: The file holds a run already, or cannot be written.
        """
        if cls.holds_run(path):
            raise InputError(f"{path.name} holds a run already: open it to resume it, or name another file.")
        with run_file_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            run = cls(path)
        try:
            with run_file_errors(path):
                run._fill(records, {**meta, "created": time.time(), "format": RUN_FORMAT})
        except BaseException:
            run.close()
            raise
        return run

    def _fill(self, records: Iterable[Record], meta: Mapping[str, Any]) -> None:
        self._writer.executescript(CREATE_TABLES)
        with self._writer as connection:
            rows = ((place, record.id, record.to_json_line()) for place, record in enumerate(records))
            connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])

    @classmethod
    def open(cls, path: Path) -> "RunFile":
        """Opens a run file.

        Raises:
            InputError: The file is missing, or is not a run of this format.
        """
        if not path.is_file():
            raise InputError(f"There is no run file {path.name!r}: check its path, or make one with bench run.")
        with run_file_errors(path):
            found = read_run_format(path)
        if not found:
            raise InputError(f"{path.name} is not a run file: name a file that bench run made.")
        if found != RUN_FORMAT:
            raise InputError(
                f"{path.name} has format {found}, and this version reads {RUN_FORMAT}: name a file that bench run made."
            )
        with run_file_errors(path):
            return cls(path)

    @staticmethod
    def holds_run(path: Path) -> bool:
        """Whether this file holds a run (False if its creation was interrupted).

        Raises:
            InputError: The file is of another kind.
        """
        with run_file_errors(path):
            return path.exists() and read_run_format(path) is not None

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
        self._writer.close()

    def __enter__(self) -> "RunFile":
        """Returns the run file."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the file."""
        self.close()

    @property
    def meta(self) -> dict[str, Any]:
        """Metadata of the run: settings, models, prompts, versions, records_sha256, media, created, format.

        `limit` (null: none) and `left_out` (number of questions without their media) are of the latest session.
        """
        with run_file_errors(self.path):
            return {
                key: parse_stored_json(value) for key, value in self._connection.execute("SELECT key, value FROM meta")
            }

    def store_meta(self, key: str, value: Any) -> None:
        """Stores one JSON value of the metadata."""
        with run_file_errors(self.path), self._writer as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def records(self) -> Iterator[Record]:
        """The run's questions, in the order of their file."""
        with run_file_errors(self.path):
            for (line,) in self._connection.execute("SELECT record FROM records ORDER BY position"):
                yield Record.model_validate_json(line)

    def count_records(self) -> int:
        """The number of the run's questions."""
        with run_file_errors(self.path):
            return int(self._connection.execute("SELECT count(*) FROM records").fetchone()[0])

    def record(self, name: str) -> Record:
        """One question by its id.

        Raises:
            InputError: The run has no record of that id.
        """
        with run_file_errors(self.path):
            row = self._connection.execute("SELECT record FROM records WHERE id = ?", (name,)).fetchone()
            if row:
                return Record.model_validate_json(row[0])
        raise InputError(f"{self.path.name} holds no record {name!r}.")

    def outcomes(
        self, arm: Arm | None = None, *, state: OutcomeState | None = None, rollout: int | None = None
    ) -> Iterator[Outcome]:
        """The outcomes in the order of the records, optionally only those of an arm, state or rollout."""
        query = f"""SELECT {_OUTCOME} FROM outcomes o JOIN records r ON r.id = o.record
            WHERE o.arm = coalesce(?, o.arm) AND o.state = coalesce(?, o.state) AND o.rollout = coalesce(?, o.rollout)
            ORDER BY r.position, o.arm, o.rollout"""
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (arm, state, rollout)):
                values = dict(zip(_FIELDS, row, strict=True))
                values["usage"] = parse_stored_json(values["usage"])
                if values["result"]:
                    values["result"] = parse_stored_json(values["result"])
                yield Outcome(**values)

    def outcome_summaries(self, rollout: int | None = None) -> Iterator[OutcomeSummary]:
        """All outcomes in short form, in no particular order."""
        query = f"SELECT {_SUMMARY} FROM outcomes o WHERE o.rollout = coalesce(?, o.rollout)"
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (rollout,)):
                yield OutcomeSummary(*row)

    def store_outcomes(self, *outcomes: Outcome, session: int | None = None) -> None:
        """Stores outcomes in one transaction; each replaces an earlier one of the same record, arm and rollout.

        Args:
            *outcomes: The outcomes.
            session: Number of the session that made them; its end time is updated.
        """
        rows = [_outcome_values(outcome) for outcome in outcomes]
        with run_file_errors(self.path), self._writer as connection:
            connection.executemany(f"INSERT OR REPLACE INTO outcomes VALUES ({','.join('?' * len(_FIELDS))})", rows)
            connection.execute("UPDATE sessions SET last = ? WHERE number = ?", (time.time(), session))

    def scores(self, metric: str | None = None) -> Iterator[StoredScore]:
        """The scores in the order of the records, optionally only those of one metric."""
        query = f"""SELECT {_SCORE} FROM marks m JOIN records r ON r.id = m.record
            WHERE m.metric = coalesce(?, m.metric) ORDER BY r.position, m.arm, m.rollout, m.metric"""
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (metric,)):
                yield StoredScore(*row)

    def store_scores(self, scores: Iterable[StoredScore]) -> None:
        """Stores scores; each replaces an earlier one of the same outcome and metric."""
        rows = [astuple(score) for score in scores]
        with run_file_errors(self.path), self._writer as connection:
            connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def usage(self) -> Usage:
        """Cost of all calls of this run, including those whose answer was not used.

        For answers of servers it is the cost that their results report; failed tries on a server are not included.
        """
        reported = f"SELECT usage FROM outcomes WHERE {_SERVER} IS NOT NULL"
        with run_file_errors(self.path):
            return sum_usages(
                text for (text,) in (*self._ledger_rows("usage", BILLED_TABLES), *self._connection.execute(reported))
            )

    def answers_by_server(self) -> dict[str, int]:
        """Number of answers by server; empty for a run on this machine alone."""
        query = f"SELECT {_SERVER}, count(*) FROM outcomes WHERE {_SERVER} IS NOT NULL GROUP BY 1 ORDER BY 1"
        with run_file_errors(self.path):
            return dict(self._connection.execute(query).fetchall())

    def clip_contents(self) -> dict[str, str]:
        """The clip id (SHA-256) by the name of each clip about which an answer is stored."""
        answered = f"SELECT {_VIDEO} AS video, min(o.rowid) AS first FROM outcomes o JOIN records r ON r.id = o.record"
        query = f"""SELECT video, json_extract(o.result, '$.clip.id') AS clip
            FROM ({answered} WHERE o.state = 'answered' GROUP BY 1) JOIN outcomes o ON o.rowid = first
            WHERE clip IS NOT NULL"""
        with run_file_errors(self.path):
            return dict(self._connection.execute(query).fetchall())

    def reported_versions(self) -> dict[str, dict[str, list[str]]]:
        """The versions that providers reported in their replies: by model and key, all values."""
        found: dict[str, dict[str, list[str]]] = {}
        for key in ("model_name", "model_version", "system_fingerprint"):
            for model_id, value in self._ledger_rows(
                f"DISTINCT spec, json_extract(reply, '$.response_metadata.{key}')"
            ):
                if value is not None:
                    found.setdefault(model_id, {}).setdefault(key, []).append(str(value))
        return found

    def _ledger_rows(self, columns: str, tables: Sequence[str] = ("calls",)) -> Iterator[tuple[Any, ...]]:
        with run_file_errors(self.path):
            for table in existing_tables(self._connection, tables):
                yield from self._connection.execute(f"SELECT {columns} FROM {table}")

    def begin_session(self) -> int:
        """Records that a process starts to work on the run; returns the session number to store outcomes with."""
        now = time.time()
        with run_file_errors(self.path), self._writer as connection:
            return int(connection.execute("INSERT INTO sessions VALUES (NULL, ?, ?)", (now, now)).lastrowid or 0)

    def worked_seconds(self) -> float:
        """Seconds of work on the run, in all sessions."""
        # A clock that was set back must not shorten the earlier sessions.
        query = "SELECT coalesce(sum(max(0, last - started)), 0) FROM sessions"
        with run_file_errors(self.path):
            return float(self._connection.execute(query).fetchone()[0])


def _outcome_values(outcome: Outcome) -> list[Any]:
    """An outcome as a row of its table."""
    row = {name: getattr(outcome, name) for name in _FIELDS}
    row["usage"] = json.dumps(outcome.usage)
    row["result"] = None
    if outcome.result:
        row["result"] = json.dumps(outcome.result)
    return list(row.values())
