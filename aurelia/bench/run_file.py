"""The run file: one SQLite file a run, with its records, settings, answers, scores and every paid call.

It holds all that is needed to read a run again without the files it was made from, and to go on with one that was
stopped. It stores and reads; who asks is `aurelia.bench.runner`, who scores is `aurelia.bench.scoring`. The table `calls`
is the call ledger's own (`aurelia_core.models.call_ledger`), opened on the same file; here it is only read.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
        record: the record's id.
        arm: `zero_shot` (the target alone) or `aurelia`.
        rollout: number of the independent repetition.
        state: `answered` or `failed`; a failed one is asked again when the run goes on.
        answer: the target's answer, None when it failed.
        choice: the choice that the target node read from it, None without choices or when it names none.
        result: of `aurelia`, the keys of `aurelia.run.result.RESULT_KEYS`; of `zero_shot`, its clip, models and warnings; and
            `server`, where one answered.
        error: why it failed.
        tries: how often it was asked so far.
        seconds: how long the last try took; both arms of one try share it.
        usage: the bill of this arm; the zero-shot call stands apart from the rest.
        created: when it was stored, seconds since 1970.
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
    """One score of one outcome: `value` None where it cannot be told, `how` it was found, `said` by whom or why."""

    record: str
    arm: Arm
    rollout: int
    metric: str
    value: float | None
    how: str
    said: str | None = None


class OutcomeSummary(NamedTuple):
    """What a run needs to know of an outcome to go on: the fields of `Outcome` without its long ones."""

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
_SCORE = ", ".join(f"m.{field.name}" for field in fields(StoredScore))


class RunFile:
    """An open run file. Reading is free to all while one process writes; made by `create` or `open`."""

    def __init__(self, path: Path) -> None:
        """Opens a file that is known to be a run, or is about to become one."""
        self.path = path
        # A write in the middle of a read of the same connection fails when somebody else has written meanwhile.
        self._connection, self._writer = connect_run_file(path), connect_run_file(path)

    @classmethod
    def create(cls, path: Path, records: Iterable[Record], meta: Mapping[str, Any]) -> "RunFile":
        """Makes the run file with its records and what is known of the run, whole or not at all.

        Args:
            path: where; what is there already must be an unfinished attempt to make one.
            records: the questions, in the order of their file.
            meta: JSON values by key: settings, models, prompts, versions, records_sha256, media.

        Raises:
            InputError: a run stands there already, or the file cannot be written.
        """
        if cls.begun(path):
            raise InputError(f"{path.name} holds a run already: open it to go on, or name another file.")
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
            rows = ((place, record.id, record.line()) for place, record in enumerate(records))
            connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])

    @classmethod
    def open(cls, path: Path) -> "RunFile":
        """Opens a run file.

        Raises:
            InputError: it is not there, or no run of this format.
        """
        if not path.is_file():
            raise InputError(f"There is no run file {path.name!r}: check its path, or make one with bench run.")
        with run_file_errors(path):
            found = read_run_format(path)
        if found != RUN_FORMAT:
            made = f"has format {found}, and this version reads {RUN_FORMAT}" if found else "is no run file"
            raise InputError(f"{path.name} {made}: name a file that bench run has made.")
        with run_file_errors(path):
            return cls(path)

    @staticmethod
    def begun(path: Path) -> bool:
        """Whether a run stands in this file (False also for one that was killed before it was made).

        Raises:
            InputError: there is a file of another kind.
        """
        with run_file_errors(path):
            return path.exists() and read_run_format(path) is not None

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
        self._writer.close()

    def __enter__(self) -> "RunFile":
        """The file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes it."""
        self.close()

    @property
    def meta(self) -> dict[str, Any]:
        """What is known of the run: settings, models, prompts, versions, records_sha256, media, created, format.

        Those of the latest session are `limit` (null: none) and `left_out` (questions without their media).
        """
        with run_file_errors(self.path):
            return {
                key: parse_stored_json(value) for key, value in self._connection.execute("SELECT key, value FROM meta")
            }

    def store_meta(self, key: str, value: Any) -> None:
        """Lays down one JSON value."""
        with run_file_errors(self.path), self._writer as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def records(self) -> Iterator[Record]:
        """The run's questions, in the order of their file."""
        with run_file_errors(self.path):
            for (line,) in self._connection.execute("SELECT record FROM records ORDER BY position"):
                yield Record.model_validate_json(line)

    def record(self, name: str) -> Record:
        """One question by its id.

        Raises:
            InputError: the run has none of that id.
        """
        with run_file_errors(self.path):
            row = self._connection.execute("SELECT record FROM records WHERE id = ?", (name,)).fetchone()
            if row:
                return Record.model_validate_json(row[0])
        raise InputError(f"{self.path.name} holds no record {name!r}.")

    def outcomes(
        self, arm: Arm | None = None, *, state: OutcomeState | None = None, rollout: int | None = None
    ) -> Iterator[Outcome]:
        """The outcomes so far in the order of the records, one at a time: all, or those of an arm, state or rollout."""
        query = f"""SELECT {_OUTCOME} FROM outcomes o JOIN records r ON r.id = o.record
            WHERE o.arm = coalesce(?, o.arm) AND o.state = coalesce(?, o.state) AND o.rollout = coalesce(?, o.rollout)
            ORDER BY r.position, o.arm, o.rollout"""
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (arm, state, rollout)):
                known = dict(zip(_FIELDS, row, strict=True))
                result, usage = known["result"], parse_stored_json(known["usage"])
                yield Outcome(**{**known, "result": parse_stored_json(result) if result else None, "usage": usage})

    def standings(self, rollout: int | None = None) -> Iterator[OutcomeSummary]:
        """All outcomes so far in short, in no particular order."""
        query = f"SELECT {_SUMMARY} FROM outcomes o WHERE o.rollout = coalesce(?, o.rollout)"
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (rollout,)):
                yield OutcomeSummary(*row)

    def store_outcomes(self, *outcomes: Outcome, session: int | None = None) -> None:
        """Stores outcomes together, each in place of an earlier one of the same record, arm and rollout.

        Args:
            *outcomes: the outcomes.
            session: the session that found them, which is noted to be at work still.
        """
        rows = [_outcome_values(outcome) for outcome in outcomes]
        with run_file_errors(self.path), self._writer as connection:
            connection.executemany(f"INSERT OR REPLACE INTO outcomes VALUES ({','.join('?' * len(_FIELDS))})", rows)
            connection.execute("UPDATE sessions SET last = ? WHERE number = ?", (time.time(), session))

    def marks(self, metric: str | None = None) -> Iterator[StoredScore]:
        """The scores so far in the order of the records: all, or those of one metric."""
        query = f"""SELECT {_SCORE} FROM marks m JOIN records r ON r.id = m.record
            WHERE m.metric = coalesce(?, m.metric) ORDER BY r.position, m.arm, m.rollout, m.metric"""
        with run_file_errors(self.path):
            for row in self._connection.execute(query, (metric,)):
                yield StoredScore(*row)

    def store_marks(self, marks: Iterable[StoredScore]) -> None:
        """Stores scores, each in place of an earlier one of the same outcome and metric."""
        rows = [astuple(mark) for mark in marks]
        with run_file_errors(self.path), self._writer as connection:
            connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def bill(self) -> Usage:
        """What all calls of this run have cost, those whose answer was never used included.

        Of what servers answered it counts what their results state; what they spent in vain is not known here.
        """
        stated = f"SELECT usage FROM outcomes WHERE {_SERVER} IS NOT NULL"
        with run_file_errors(self.path):
            return sum_usages(
                text for (text,) in (*self._ledger("usage", BILLED_TABLES), *self._connection.execute(stated))
            )

    def servers(self) -> dict[str, int]:
        """How many answers came from each server; empty for a run that was asked on this machine alone."""
        query = f"SELECT {_SERVER}, count(*) FROM outcomes WHERE {_SERVER} IS NOT NULL GROUP BY 1 ORDER BY 1"
        with run_file_errors(self.path):
            return dict(self._connection.execute(query).fetchall())

    def reported(self) -> dict[str, dict[str, list[str]]]:
        """The versions that providers named in their replies, by model: each key with the values that were seen."""
        found: dict[str, dict[str, list[str]]] = {}
        for key in ("model_name", "model_version", "system_fingerprint"):
            for spec, value in self._ledger(f"DISTINCT spec, json_extract(reply, '$.response_metadata.{key}')"):
                if value is not None:
                    found.setdefault(spec, {}).setdefault(key, []).append(str(value))
        return found

    def _ledger(self, what: str, tables: Sequence[str] = ("calls",)) -> Iterator[tuple[Any, ...]]:
        with run_file_errors(self.path):
            for table in existing_tables(self._connection, tables):
                yield from self._connection.execute(f"SELECT {what} FROM {table}")

    def begin_session(self) -> int:
        """Notes that a process begins to work on the run, and gives the number to store its outcomes with."""
        now = time.time()
        with run_file_errors(self.path), self._writer as connection:
            return int(connection.execute("INSERT INTO sessions VALUES (NULL, ?, ?)", (now, now)).lastrowid or 0)

    def seconds(self) -> float:
        """How long the run was worked on, in all sessions together."""
        # A clock that is put back must not take from the sessions before.
        query = "SELECT coalesce(sum(max(0, last - started)), 0) FROM sessions"
        with run_file_errors(self.path):
            return float(self._connection.execute(query).fetchone()[0])


def _outcome_values(outcome: Outcome) -> list[Any]:
    """An outcome as its table holds it."""
    row = {name: getattr(outcome, name) for name in _FIELDS}
    row["result"] = json.dumps(outcome.result) if outcome.result else None
    row["usage"] = json.dumps(outcome.usage)
    return list(row.values())
