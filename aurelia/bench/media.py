"""The media of a run's questions: which are not there, and each clip prepared once for all questions about it."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aurelia.bench.records import Record
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.cache import CLIP_ID_PATTERN
from aurelia_core.media.guard import open_media_file

_MAX_CACHED = 256


def find_missing_media(records: Iterable[Record], store: ClipStore) -> dict[str, str]:
    """The names of media that cannot be opened, each with the reason; nothing is decoded."""
    names = dict.fromkeys(name for record in records for name in (record.video, *record.audio))
    return {name: reason for name in names if (reason := _refusal_reason(name, store))}


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
    """The records with those about the same clip together, clips in the order of their first question."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.video, []).append(record)
    return [record for group in groups.values() for record in group]


class RecordMedia(NamedTuple):
    """A question's media by content: ids that the store knows."""

    video: str
    audio: list[str]


class ClipAdmitter:
    """Prepares each clip once, however many questions about it begin at the same time."""

    def __init__(self, store: ClipStore) -> None:
        """Opens nothing yet.

        Args:
            store: where clips are admitted.
        """
        self._store = store
        self._known: OrderedDict[tuple[str, str], asyncio.Task[str]] = OrderedDict()

    async def media(self, record: Record) -> RecordMedia:
        """The record's media, surveyed and on record.

        Raises:
            MediaError: one of them cannot be used.
        """
        video = await self._admitted(record.video, "video")
        return RecordMedia(video, [await self._admitted(name, "audio") for name in record.audio])

    async def _admitted(self, name: str, kind: Any) -> str:
        known = (name, kind)
        if known not in self._known:
            self._known[known] = asyncio.create_task(self._admit(name, kind))
        self._known.move_to_end(known)
        task = self._known[known]
        while len(self._known) > _MAX_CACHED:
            self._known.popitem(last=False)
        return await asyncio.shield(task)

    async def _admit(self, name: str, kind: Any) -> str:
        return (await asyncio.to_thread(self._store.admit, name, kind=kind))["id"]
