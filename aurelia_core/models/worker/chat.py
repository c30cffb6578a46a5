"""`worker:ROW`: a model in a separate process with its own Python environment, such as a research repository's.

The operator describes the process in `workers/ROW.toml` in the home folder; a run can only name an existing row. The
first call starts the process. Each answer has a time limit. A process that died is started again by the next call; the
ledger decides about retries. A process answers one request at a time.
"""

import asyncio
import hashlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import request_of
from aurelia_core.models.worker.process import WorkerProcess
from aurelia_core.types import MediaRef, is_still, is_video

_NAME = re.compile(r"[a-z0-9_]{1,60}")
_REQUEST_FIELDS = ("role", "question", "choices", "frames", "duration", "has_audio", "schema")


class WorkerSetup(BaseModel):
    """Settings of one worker: the fields of `workers/ROW.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: Path = Field(description="The Python of the model's own environment.")
    script: Path = Field(description="The file with load(options) and answer(model, request).")
    folder: Path | None = Field(default=None, description="Working folder, often the research repository's.")
    options: dict[str, Any] = Field(default={}, description="Given to load: paths of weights, dtype, device.")
    load_seconds: float = Field(default=900.0, gt=0, le=86_400, description="Time limit of loading.")
    answer_seconds: float = Field(default=300.0, gt=0, le=86_400, description="Time limit of one answer.")


class WorkerChat(ClipModel, BaseChatModel):
    """A chat model that calls a worker process.

    Attributes:
        worker_name: the worker's name, also the name of its row among the targets.
        setup: its settings.
        store: clip store with the clips that messages refer to.
    """

    worker_name: str
    setup: WorkerSetup
    store: Any
    _process: WorkerProcess = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the process without starting it."""
        log = self.store.settings.home / "workers" / f"{self.worker_name}.log"
        command = [str(self.setup.python), str(host_script()), str(self.setup.script)]
        self._process = WorkerProcess(
            f"worker:{self.worker_name}",
            command,
            log=log,
            folder=self.setup.folder,
            options=self.setup.options,
            load_seconds=self.setup.load_seconds,
        )

    @property
    def _llm_type(self) -> str:
        return "worker"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything besides the messages that determines a reply: script and options."""
        script = hashlib.sha256(self.setup.script.read_bytes()).hexdigest()
        return {"worker": self.worker_name, "script": script, "options": self.setup.options}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = self._process.ask("answer", self.setup.answer_seconds, request=self.request(messages))
        message = AIMessage(text, response_metadata={"cost_usd": 0.0, "media_uploads": 0})
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            return await asyncio.to_thread(self._generate, messages)
        except asyncio.CancelledError:
            # The thread waits for the process: stop the process to end the thread.
            self._process.stop()
            raise

    def answer_batch(self, conversations: list[list[BaseMessage]]) -> list[str]:
        """Answer several requests in one batch.

        Raises:
            ModelError: the worker died, refused, or exceeded the time limit (`answer_seconds` per request).
        """
        requests = [self.request(messages) for messages in conversations]
        seconds = self.setup.answer_seconds * max(1, len(requests))
        return list(self._process.ask("batch", seconds, requests=requests))

    def health(self, seconds: float = 30.0) -> dict[str, Any]:
        """Start the worker if necessary; returns its protocol, Python version, and whether the model is loaded.

        Raises:
            ModelError: the worker cannot be started, or does not answer in time.
        """
        return dict(self._process.ask("health", seconds))

    def close(self) -> None:
        """Stop the process; the next request starts it again."""
        self._process.stop()

    def shifts_frames(self, media: MediaRequest) -> bool:
        """No: its own code takes the frames."""
        return False

    def request(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """The argument of a script's `answer`.

        Returns:
            `system` and `text` (the prompt; earlier turns before it), `video` (path or null), `audio` (paths of
            separate sounds, and of a sound without a video), `images` (paths of still pictures; absent without them),
            `windows` (windows to look at more closely, start and end in seconds; empty: the whole clip), and the
            request's plain fields (`role`, `question`, `choices`, `frames`, ...).
        """
        fields = messages[-1].additional_kwargs.get("request", {})
        refs = [block["clip"] for message in messages for block in _blocks(message) if block["type"] == "clip"]
        images = self._files(refs, is_still)
        media: dict[str, Any] = {
            "video": next(iter(self._files(refs, is_video)), None),
            "audio": self._files(refs, lambda ref: ref["width"] is None),
        }
        if images:
            media["images"] = images
        return {
            "system": "\n".join(_text(message) for message in messages if message.type == "system"),
            "text": "\n\n".join(_text(message) for message in messages if message.type != "system"),
            **media,
            "windows": list(request_of(messages).closer_look),
            **{name: fields[name] for name in _REQUEST_FIELDS if name in fields},
        }

    def _files(self, refs: list[MediaRef], wanted: Callable[[MediaRef], bool]) -> list[str]:
        found = [ref for ref in refs if wanted(ref)]
        for ref in found:
            if not self.store.is_usual(ref):
                raise InputError(
                    f"{ref['name']} has several tracks, of which the worker may use others than were chosen: give it a"
                    " file with one picture and one sound track."
                )
        return [str(self.store.verified_path(ref)) for ref in found]


def make_worker(name: str, store: ClipStore) -> WorkerChat:
    """The worker `name` with the operator's settings.

    Raises:
        InputError: the worker is not set up, or its file is invalid.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"worker:{name} cannot be used: a worker's name has only small letters, digits and underscores."
        )
    file = store.settings.home / "workers" / f"{name}.toml"
    file_name = f"workers/{name}.toml"
    try:
        setup = WorkerSetup.model_validate(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        raise InputError(
            f"worker:{name} is not set up: there is no {file_name} in AURELIA_HOME. aurelia targets {name} lists the"
            " requirements of the model; the file names python and script."
        ) from None
    except ValidationError as fault:
        problems = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors())
        raise InputError(f"{file_name} in AURELIA_HOME cannot be used: {problems}.") from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{file_name} in AURELIA_HOME cannot be read: {type(fault).__name__}.") from None
    for field in ("python", "script"):
        if not getattr(setup, field).is_file():
            raise InputError(f"{file_name} in AURELIA_HOME names a {field} that does not exist.")
    return WorkerChat(worker_name=name, setup=setup, store=store)


def host_script() -> Path:
    """The script that runs in the worker's environment; this project does not import it."""
    return Path(__file__).with_name("host.py")


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}]
    blocks: list[dict[str, Any]] = []
    for block in message.content:
        if isinstance(block, str):
            block = {"type": "text", "text": block}
        blocks.append(block)
    return blocks


def _text(message: BaseMessage) -> str:
    return "\n".join(block["text"] for block in _blocks(message) if block["type"] == "text")
