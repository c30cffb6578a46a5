"""The media of a run's questions: finds missing files, and admits the clips of each question."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from aurelia.bench.records import Record
from aurelia_core.errors import MediaError
from aurelia_core.media import ClipStore
from aurelia_core.media.cache import CLIP_ID_PATTERN
from aurelia_core.media.guard import display_name, open_media_file

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
    """Admits each clip once at a time, and notices a clip whose content changes in the middle of a run."""

    def __init__(self, store: ClipStore) -> None:
        """Admits nothing yet.

        Args:
            store: Clip store that admits the clips.
        """
        self._store = store
        self._running: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._contents: dict[str, str] = {}

    def expect(self, contents: Mapping[str, str]) -> None:
        """Sets the content of clips about which the run holds answers.

        Args:
            contents: Clip ids by the names of the records.
        """
        self._contents.update(contents)

    async def admit(self, record: Record) -> RecordMedia:
        """Admits a record's media.

        Raises:
            MediaError: One of them cannot be used, or its content is not that of earlier questions of the run.
        """
        video = record.video and await self._clip_id(record.video, "video")
        audio = [await self._clip_id(name, "audio") for name in record.audio]
        return RecordMedia(video, audio, [await self._clip_id(name, "video") for name in record.images])

    async def _clip_id(self, name: str, kind: Any) -> str:
        key = (name, kind)
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._admit(name, kind))
            self._running[key].add_done_callback(lambda task: self._running.pop(key))
        clip_id = await asyncio.shield(self._running[key])
        if self._contents.setdefault(name, clip_id) != clip_id:
            raise MediaError(
                f"{display_name(name)} changed in the middle of the run: earlier questions were about another content. "
                "Put the earlier file back and resume, or start a new run file"
            )
        return clip_id

    async def _admit(self, name: str, kind: Any) -> str:
        return (await asyncio.to_thread(self._store.admit, name, kind=kind))["id"]
