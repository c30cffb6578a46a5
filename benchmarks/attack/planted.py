"""Code planted where a program only means to read, kept threads and model folders: what runs leaves a mark."""

import asyncio
import contextlib
import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ormsgpack

from aurelia.run.ask import answer_question
from aurelia.run.checkpointers import open_checkpointer
from aurelia.run.history import read_thread
from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from benchmarks.attack.row import Row
from graph.build import build_graph
from state.context import ROLES, make_context
from tests.support.scripted import scripted

THREAD = "planted"


class _Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.mark}'",)


def _packed(code: int, *parts: Any) -> tuple[str, bytes]:
    return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


def checkpoints(mark: Path) -> list[tuple[str, bytes]]:
    """Serialized values that would leave the mark, were they to be built as they ask: (kind, bytes)."""
    command, path = f"touch '{mark}'", str(mark)
    revived = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [command], "kwargs": {}}
    classic = {"lc": 1, "type": "constructor", "id": ["langchain_core", "prompts", "PromptTemplate"], "kwargs": {}}
    return [
        ("pickle", pickle.dumps(_Bomb(mark))),
        _packed(0, "os", "system", command),
        _packed(1, "os", "system", [command]),
        _packed(1, "subprocess", "call", [["touch", path]]),
        _packed(2, "subprocess", "call", {"args": ["touch", path]}),
        _packed(3, "pathlib", "Path", path, "touch"),
        _packed(3, "os", "popen", command, "read"),
        _packed(4, "subprocess", "Popen", {"args": ["touch", path]}),
        _packed(5, "subprocess", "Popen", {"args": ["touch", path]}, "model_validate_json"),
        _packed(0, "builtins", "exec", f"open({path!r}, 'w')"),
        _packed(0, "pickle", "loads", pickle.dumps(_Bomb(mark))),
        ("json", json.dumps(revived).encode()),
        ("json", json.dumps({**revived, "method": ["__call__"]}).encode()),
        ("json", json.dumps({**classic, "kwargs": {"template": revived}}).encode()),
    ]


class _Victim:
    """Somebody who keeps a thread, reads it and goes on with it."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(home=folder / "planted", allow_any_file=True)
        self.asked: Any = {"video": str(folder / "duet.mp4"), "question": "What is heard?"}
        self.context = make_context(dict.fromkeys(ROLES, "scripted:one"))
        model = scripted(target=[ValueError("gone"), "an answer"])
        self.desk = ModelClient(settings, providers={"scripted": lambda name, store: model}, store=ClipStore(settings))
        self.mark, self.ran, self.tried = folder / "mark", 0, 0

    async def begin(self, where: str | Path) -> None:
        """Asks in a thread, which stays unfinished."""
        async with open_checkpointer(where) as keep:
            with contextlib.suppress(AureliaError):
                await answer_question(self.asked, self.context, client=self.desk, thread=THREAD, checkpointer=keep)

    async def go_on(self, where: str | Path) -> None:
        """Reads the thread that something was planted in, and goes on with it."""
        self.tried += 1
        async with open_checkpointer(where) as keep:
            # What is read may be nonsense now, which is no fault of the reader's.
            with contextlib.suppress(Exception):
                await read_thread(build_graph(client=self.desk, checkpointer=keep), THREAD)
            with contextlib.suppress(Exception):
                await answer_question(self.asked, self.context, client=self.desk, thread=THREAD, checkpointer=keep)
        self.ran += self.mark.exists()
        self.mark.unlink(missing_ok=True)

    def row(self, kind: str) -> Row:
        """How often something ran."""
        what = f"threads kept in {kind} with planted objects (pickle, msgpack, JSON), of {self.tried}: code that ran"
        return Row("secrets", f"{what} when they were read", str(self.ran), "0", self.ran == 0 < self.tried)


async def threads(folder: Path) -> Row:
    """Plants each value for the state and for what is still to be written of a kept thread, then reads and goes on."""
    victim, base = _Victim(folder), folder / "threads.sqlite"
    await victim.begin(base)
    for kind, data in checkpoints(victim.mark):
        for column in ("UPDATE checkpoints SET type = ?, checkpoint = ?", "UPDATE writes SET type = ?, value = ?"):
            where = folder / f"threads {victim.tried}.sqlite"
            with (
                contextlib.closing(sqlite3.connect(base)) as source,
                contextlib.closing(sqlite3.connect(where)) as connection,
                connection,
            ):
                source.backup(connection)
                _changed(connection.execute(column, (kind, data)).rowcount)
            await victim.go_on(where)
    return victim.row("SQLite")


async def threads_in_postgres(folder: Path, url: str) -> Row:
    """The same in a PostgreSQL database, where a state lies in blobs, and its plain values in JSON beside them."""
    import psycopg

    victim = _Victim(folder)
    await victim.begin(url)
    with psycopg.connect(url, autocommit=True) as database:
        for table in _TABLES:
            database.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        for kind, data in checkpoints(victim.mark):
            given = {"kind": kind, "data": data, "json": data.decode() if kind == "json" else None}
            for statement in _STATEMENTS[: None if kind == "json" else 2]:
                for table in _TABLES:
                    database.execute(f"TRUNCATE {table}")
                    database.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
                _changed(database.execute(statement, given).rowcount)
                await victim.go_on(url)
    return victim.row("PostgreSQL")


_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
_STATEMENTS = (
    "UPDATE checkpoint_blobs SET type = %(kind)s, blob = %(data)s",
    "UPDATE checkpoint_writes SET type = %(kind)s, blob = %(data)s",
    "UPDATE checkpoints SET metadata = %(json)s",
    """UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_values}', (
    SELECT jsonb_object_agg(name, %(json)s::jsonb)
    FROM jsonb_object_keys(checkpoint -> 'channel_versions') AS name))""",
)
"""Where each value is planted; the last two hold JSON alone."""


def _changed(rows: int) -> None:
    if rows < 1:
        raise RuntimeError("nothing was planted: there is no such row")


def _named(file: str, **more: Any) -> Callable[[Path], None]:
    """Lays further names into one of a folder's JSON files."""

    def plant(folder: Path) -> None:
        path = folder / file
        known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        path.write_text(json.dumps({**known, **more}), "utf-8")

    return plant


_AUTO = {
    name: f"evil.{name}"
    for name in ("AutoConfig", "AutoModel", "AutoModelForMultimodalLM", "AutoProcessor", "AutoTokenizer")
}
PLANTS: dict[str, Callable[[Path], None]] = {
    "code for a known architecture": _named("config.json", auto_map=_AUTO),
    "code for an unknown architecture": _named("config.json", auto_map=_AUTO, model_type="evil"),
    "code of the processor": _named(
        "processor_config.json", auto_map={"AutoProcessor": "evil.AutoProcessor"}, processor_class="Evil"
    ),
    "code of the image processor": _named(
        "preprocessor_config.json", auto_map={"AutoImageProcessor": "evil.Auto", "AutoFeatureExtractor": "evil.Auto"}
    ),
    "code of the tokenizer": _named(
        "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Auto", "evil.Auto"]}, tokenizer_class="Evil"
    ),
    "code of its own generation": _named("generation_config.json", custom_generate="custom_generate"),
    "pickled weights alone": lambda folder: (folder / "model.safetensors").unlink(),
    "pickled weights beside others": lambda folder: None,
    "a template that reaches for Python": lambda folder: (folder / "chat_template.jinja").write_text(
        "{{ cycler.__init__.__globals__.os.system('touch ' ~ '" + "MARK" + "') }}"
    ),
}  # fmt: skip


def _code(mark: Path) -> str:
    kinds = "\n".join(f"class {name}:\n    pass" for name in [*_AUTO, "Auto"])
    return f"open({str(mark)!r}, 'w').close()\n{kinds}\ndef generate(*a, **k):\n    pass\n"


def folders(source: Path, folder: Path) -> Row:
    """Loads model folders with planted code, pickles and templates, and has each answer as far as it goes."""
    mark, ran, loaded = folder / "mark", list[str](), 0
    settings = Settings(home=folder / "models", allow_any_file=True)
    for number, (name, plant) in enumerate(PLANTS.items()):
        place = Path(shutil.copytree(source, folder / f"model-{number}"))
        (place / "custom_generate").mkdir()
        for file in ("evil.py", "custom_generate/generate.py"):
            (place / file).write_text(_code(mark), "utf-8")
        plant(place)
        if name.startswith("pickled"):
            (place / "pytorch_model.bin").write_bytes(pickle.dumps(_Bomb(mark)))
        template = place / "chat_template.jinja"
        if template.is_file():
            template.write_text(template.read_text("utf-8").replace("MARK", str(mark)), "utf-8")
        loaded += asyncio.run(_loaded(ModelClient(settings, store=ClipStore(settings)), place, folder / "duet.mp4"))
        if mark.exists():
            ran.append(name)
            mark.unlink()
    what = f"model folders with code, pickles or templates planted in them, of {len(PLANTS)}: code that ran"
    return Row(
        "supply",
        f"{what} ({loaded} loaded, {len(PLANTS) - loaded} refused)",
        f"{len(ran)} {', '.join(ran)}".strip(),
        "0",
        not ran,
    )


async def _loaded(desk: ModelClient, place: Path, clip: Path) -> bool:
    """Asks a folder's model one question, and says whether that came as far as its weights."""
    from aurelia_core.models.local import loading as local_load

    agents = {**dict.fromkeys(ROLES, "offline:measure"), "target": f"transformers:{place}"}
    context = make_context({**agents, "max_iterations": 1, "compare": False, "frames": 4})
    try:
        with contextlib.suppress(AureliaError):
            await answer_question({"video": str(clip), "question": "What is heard?"}, context, client=desk)
        return bool(local_load._engines)
    finally:
        desk.close()
        local_load.unload_all()
