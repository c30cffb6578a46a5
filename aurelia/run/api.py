"""The Python interface for users: `ask` and `stream`, each also for synchronous code, with the command line's defaults.

They call `aurelia.run.ask.answer_question`, which is the same without defaults and with a dict as its result.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Unpack

from langgraph.checkpoint.base import BaseCheckpointSaver
from typing_extensions import TypedDict

from aurelia.run.ask import answer_question, plain_question
from aurelia.run.checkpointers import open_checkpointer
from aurelia.run.result import Result, warn_of_low_score
from aurelia.run.threads import Reviewer
from aurelia_core.background_loop import run_sync
from aurelia_core.errors import InputError
from aurelia_core.installation import check_system
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from graph.compiled import AureliaGraph
from state.context import Context
from state.events import Event
from state.schema import Input


class RunOptions(TypedDict, total=False):
    """The options that `ask`, `stream` and their synchronous forms share; each may be left out."""

    client: ModelClient
    """Models, clips and ledger (default: a new client with the settings of this machine)."""
    graph: AureliaGraph
    """The graph to run (default: `build_graph`); give the client that it was built with, too."""
    on_event: Callable[[Event], None]
    """Called with each event as it happens (`state.events`)."""
    thread: str
    """Name of the thread that stores the run; an interrupted run of the same question is resumed."""
    checkpointer: BaseCheckpointSaver[Any] | str | Path
    """Storage of threads: a checkpointer, a SQLite file or a postgresql:// URL (default: that of the command line)."""
    reviewer: Reviewer
    """Called when the run pauses for a review (`Context(review="reasoning")`)."""
    tags: Sequence[str]
    """For the run's trace."""
    metadata: Mapping[str, Any]
    """For the run's trace."""


async def ask(
    question: str | Mapping[str, Any],
    context: Context | None = None,
    *,
    video: str | Path | None = None,
    audio: str | Path | Sequence[str | Path] = (),
    images: str | Path | Sequence[str | Path] = (),
    choices: Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> Result:
    """Answer a question about a clip.

    Args:
        question: the question as text; or a mapping with the keys video, question, audio, images and choices.
        context: the settings of the run, models included (default: `Context()`, which needs no key).
        video: path of the clip (mp4, mov, mkv, webm or avi); a sound or a still picture alone is a clip, too.
        audio: separate sound: one track replaces the clip's own sound, several are candidates to choose from.
        images: still pictures (png, jpeg or webp), alone or with a video or sounds.
        choices: the answers to choose from; none: an open question.
        options: further options, see `RunOptions`.

    Returns:
        The answer, the reasoning behind it, and what the run cost.

    Raises:
        InputError: the question, a clip (MediaError), a model name, a key or a setting cannot be used.
        ModelError: the target did not answer.

    Example:
        >>> import asyncio
        >>> from aurelia import Context, ask
        >>> result = asyncio.run(ask("How many sounds are heard?", Context(compare=False), video="clip.mp4"))
        >>> result.answer, result.score
        ('2', 10)
    """
    check_system()
    given = _as_input(question, {"video": video, "audio": audio, "images": images}, choices)
    rest: dict[str, Any] = {**options}
    client: ModelClient | None = rest.pop("client", None)
    storage: BaseCheckpointSaver[Any] | str | Path | None = rest.pop("checkpointer", None)
    async with AsyncExitStack() as stack:
        if client is None:
            client = ModelClient(Settings.from_environment(local=True))
            stack.callback(client.close)
        if storage is None and "thread" in options and "graph" not in options:
            storage = client.settings.threads_file
        if isinstance(storage, str | Path):
            storage = await stack.enter_async_context(open_checkpointer(storage))
        settings = context or Context()
        found = await answer_question(given, settings, client=client, checkpointer=storage, **rest)
        return Result.model_validate(warn_of_low_score(found, settings.threshold))


def ask_sync(
    question: str | Mapping[str, Any],
    context: Context | None = None,
    *,
    video: str | Path | None = None,
    audio: str | Path | Sequence[str | Path] = (),
    images: str | Path | Sequence[str | Path] = (),
    choices: Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> Result:
    """Answer a question about a clip from synchronous code; it also works in a notebook.

    Arguments, result and errors are those of `ask`. The question runs on an event loop of its own thread.

    Example:
        >>> from aurelia import ask_sync
        >>> result = ask_sync(
        ...     "Which shape moves while the lowest sound is heard?",
        ...     video="clip.mp4",
        ...     choices=["red circle", "blue square"],
        ... )
        >>> result.choice
        'red circle'
        >>> result.stop_reason
        'threshold'
        >>> result.usage["cost_usd"]
        0.0
    """
    return run_sync(ask(question, context, video=video, audio=audio, images=images, choices=choices, **options))


async def stream(
    question: str | Mapping[str, Any],
    context: Context | None = None,
    *,
    video: str | Path | None = None,
    audio: str | Path | Sequence[str | Path] = (),
    images: str | Path | Sequence[str | Path] = (),
    choices: Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> AsyncGenerator[Event | Result, None]:
    """Answer a question about a clip and yield each event as it happens; the last item is the `Result`.

    Arguments and errors are those of `ask`. An event is a dict; its key "event" names its type (`state.events`).
    Leaving the loop early cancels the run.

    Example:
        >>> import asyncio
        >>> from aurelia import Result, stream
        >>> async def watch() -> list[str]:
        ...     seen = []
        ...     async for item in stream("How many sounds are heard?", video="clip.mp4"):
        ...         if isinstance(item, Result):
        ...             seen.append(f"answer: {item.answer}")
        ...         else:
        ...             seen.append(item["event"])
        ...     return seen
        >>> asyncio.run(watch())
        ['clip', 'attempt', 'target', 'answer: 2']
    """
    items: asyncio.Queue[Event | None] = asyncio.Queue()
    on_event = options.pop("on_event", None)

    def put(event: Event) -> None:
        items.put_nowait(event)
        if on_event:
            on_event(event)

    options["on_event"] = put
    task = asyncio.create_task(
        ask(question, context, video=video, audio=audio, images=images, choices=choices, **options)
    )
    task.add_done_callback(lambda done: items.put_nowait(None))
    try:
        while (event := await items.get()) is not None:
            yield event
        yield await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def stream_sync(
    question: str | Mapping[str, Any],
    context: Context | None = None,
    *,
    video: str | Path | None = None,
    audio: str | Path | Sequence[str | Path] = (),
    images: str | Path | Sequence[str | Path] = (),
    choices: Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> Iterator[Event | Result]:
    """Answer a question and yield each event as it happens, in synchronous code and in notebooks; see `stream`.

    Example:
        >>> from aurelia import Result, stream_sync
        >>> for item in stream_sync("How many sounds are heard?", video="clip.mp4"):
        ...     print(item.answer if isinstance(item, Result) else item["event"])
        clip
        attempt
        target
        2
    """
    items = stream(question, context, video=video, audio=audio, images=images, choices=choices, **options)

    async def next_item() -> Event | Result | None:
        return await anext(items, None)

    async def leave() -> None:
        await items.aclose()

    try:
        while (item := run_sync(next_item())) is not None:
            yield item
    finally:
        run_sync(leave())


def _as_input(question: str | Mapping[str, Any], media: Mapping[str, Any], choices: Sequence[str]) -> Input:
    """The question as the input of the graph, from either of the two forms.

    Raises:
        InputError: there is no media, or both forms are mixed.
    """
    named = {name: part for name, part in media.items() if part}
    if not isinstance(question, str):
        if named or choices:
            raise InputError("Give media and choices in the question's mapping or as arguments, not as both.")
        question = dict(question)
    elif not named:
        raise InputError("The question has no clip: give its path as video=..., or images=... or audio=...")
    else:
        question = {"question": question, **named, "choices": choices}
    return plain_question(question)
