"""The media of a run's questions: finds missing files, and admits each clip once for all questions about it."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from aurelia.bench.records import Record
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.cache import CLIP_ID_PATTERN
from aurelia_core.media.guard import open_media_file

_MAX_CACHED = 256
_Use = Literal["video", "audio"]


def find_missing_media(records: Iterable[Record], store: ClipStore) -> dict[str, str]:
    """The names of media that cannot be opened, each with the reason; nothing is decoded."""
    missing = {}
    for name in dict.fromkeys(name for record in records for name in record.media_names):
        if reason := _refusal_reason(name, store):
            missing[name] = reason
    return missing


def _refusal_reason(name: str, store: ClipStore) -> str | None:
    reference: Any = {"id": name}
    try:
        if CLIP_ID_PATTERN.fullmatch(name):
            store.verified_path(reference)
        else:
            with open_media_file(name, store.settings):
                pass
    except MediaError as fault:
        return str(fault)
    return None


def group_by_clip(records: Sequence[Record]) -> list[Record]:
    """The records with those about the same clip together; clips in the order of their first question."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.clip_name, []).append(record)
    return [record for group in groups.values() for record in group]


class RecordMedia(NamedTuple):
    """The media of a question as clip ids of the store; `video` None: there are only images or sounds."""

    video: str | None
    audio: list[str]
    images: list[str]

    def uses(self) -> list[tuple[str, _Use]]:
        """Each clip id with the kind of its use."""
        sounds: list[tuple[str, _Use]] = [(name, "audio") for name in self.audio]
        return [*((name, "video") for name in filter(None, [self.video, *self.images])), *sounds]

    def as_input(self) -> dict[str, Any]:
        """The media as input of the graph."""
        named = {"video": self.video, "audio": self.audio, "images": self.images}
        return {name: part for name, part in named.items() if part or name == "audio"}


class ClipAdmitter:
    """Admits each clip once, however many questions about it start at the same time."""

    def __init__(self, store: ClipStore) -> None:
        """Admits nothing yet.

        Args:
            store: Clip store that admits the clips.
        """
        self._store = store
        self._tasks: OrderedDict[tuple[str, str], asyncio.Task[str]] = OrderedDict()

    async def admit(self, record: Record) -> RecordMedia:
        """Admits a record's media.

        Raises:
            MediaError: One of them cannot be used.
        """
        video = record.video and await self._clip_id(record.video, "video")
        audio = [await self._clip_id(name, "audio") for name in record.audio]
        return RecordMedia(video, audio, [await self._clip_id(name, "video") for name in record.images])

    async def _clip_id(self, name: str, kind: Any) -> str:
        key = (name, kind)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._admit(name, kind))
        self._tasks.move_to_end(key)
        task = self._tasks[key]
        while len(self._tasks) > _MAX_CACHED:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    async def _admit(self, name: str, kind: Any) -> str:
        return (await asyncio.to_thread(self._store.admit, name, kind=kind))["id"]
