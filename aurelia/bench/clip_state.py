"""The state that the graph's first node would prepare for a record, for asking one role alone."""

import asyncio
from typing import Any

from aurelia.bench.media import ClipAdmitter
from aurelia.bench.records import Record
from aurelia_core.media import ClipStore
from nodes.prepare import admit_media, check_question
from state.schema import ClipState


async def question_state(record: Record, clips: ClipAdmitter, store: ClipStore, run: str) -> ClipState:
    """The state with the record's question and its admitted media; `run` is the name that calls are charged to.

    Raises:
        MediaError: One of the media cannot be used.
    """
    media = await clips.admit(record)
    asked: Any = {**media.as_input(), "question": record.full_question(), "choices": record.choices}
    checked = check_question(asked)
    found = await asyncio.to_thread(admit_media, store, *checked.media)
    return {
        "run": run,
        "question": checked.question,
        "choices": checked.choices,
        "clip": found.clip,
        "tracks": found.tracks,
        "pictures": found.pictures,
    }
