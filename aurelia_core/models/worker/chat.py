"""`worker:ROW`: a model that lives in a process with an environment of its own, such as a research repository's.

The operator says how it is started, in `workers/ROW.toml` in the home folder; a run's input can only name a row that
is there. The process is started when first asked, watched, given a time limit for every answer, and started again after
it died; whether to ask again is the ledger's decision. One process answers one request at a time.
"""

import asyncio
import hashlib
import re
import tomllib
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
from aurelia_core.models.requests import request_of
from aurelia_core.models.worker.process import WorkerProcess

_NAME = re.compile(r"[a-z0-9_]{1,60}")
_PASSED = ("role", "question", "choices", "frames", "duration", "has_audio", "schema")


class WorkerSetup(BaseModel):
    """How one worker is started: the fields of `workers/ROW.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: Path = Field(description="The Python of the model's own environment.")
    script: Path = Field(description="The file with load(options) and answer(model, request).")
    folder: Path | None = Field(default=None, description="Working folder, often the research repository's.")
    options: dict[str, Any] = Field(default={}, description="Given to load: paths of weights, dtype, device.")
    load_seconds: float = Field(default=900.0, gt=0, le=86_400, description="Time limit of loading.")
    answer_seconds: float = Field(default=300.0, gt=0, le=86_400, description="Time limit of one answer.")


class WorkerChat(ClipModel, BaseChatModel):
    """A chat model that asks a worker process.

    Attributes:
        row: the worker's name, that of its row among the targets.
        setup: how it is started.
        store: where the clips that messages refer to are found.
    """

    row: str
    setup: WorkerSetup
    store: Any
    _process: WorkerProcess = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepares the process; nothing is started yet."""
        log = self.store.settings.home / "workers" / f"{self.row}.log"
        command = [str(self.setup.python), str(host_script()), str(self.setup.script)]
        self._process = WorkerProcess(
            f"worker:{self.row}",
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
        """What decides its replies: a changed script or option asks anew."""
        script = hashlib.sha256(self.setup.script.read_bytes()).hexdigest()
        return {"worker": self.row, "script": script, "options": self.setup.options}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        said = self._process.ask("answer", self.setup.answer_seconds, request=self.request(messages))
        message = AIMessage(said, response_metadata={"cost_usd": 0.0, "media_uploads": 0})
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
            # Nobody waits for this answer any more, and the thread cannot be left before the process lets go of it.
            self._process.stop()
            raise

    def answers(self, conversations: list[list[BaseMessage]]) -> list[str]:
        """Answers several requests in one go, for a script that gains by batches.

        Raises:
            ModelError: the worker died, ran out of time (that of one answer for each), or refused.
        """
        requests = [self.request(messages) for messages in conversations]
        seconds = self.setup.answer_seconds * max(1, len(requests))
        return list(self._process.ask("batch", seconds, requests=requests))

    def health(self, seconds: float = 30.0) -> dict[str, Any]:
        """Starts and loads it if need be; its protocol, Python version, and whether the model is loaded.

        Raises:
            ModelError: it cannot be started, or does not answer in time.
        """
        return dict(self._process.ask("health", seconds))

    def close(self) -> None:
        """Ends the process; the next request starts it again."""
        self._process.stop()

    def request(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """What a script's `answer` is given.

        Returns:
            `system` and `text` (the prompt; earlier turns before it), `video` (path or null), `audio` (paths of
            separate sound tracks), `windows` (stretches to look at more closely, start and end in seconds; empty: the
            whole clip), and the request's plain fields (`role`, `question`, `choices`, `frames`, ...).
        """
        fields = messages[-1].additional_kwargs.get("request", {})
        clips = [block["clip"] for message in messages for block in _blocks(message) if block["type"] == "clip"]
        files = [str(self.store.verified_path(clip)) for clip in clips]
        return {
            "system": "\n".join(_text(message) for message in messages if message.type == "system"),
            "text": "\n\n".join(_text(message) for message in messages if message.type != "system"),
            "video": files[0] if files else None,
            "audio": files[1:],
            "windows": list(request_of(messages).closer_look),
            **{name: fields[name] for name in _PASSED if name in fields},
        }


def make_worker(name: str, store: ClipStore) -> WorkerChat:
    """The worker `name`, as the operator set it up.

    Raises:
        InputError: no such worker is set up, or its file cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"worker:{name} cannot be used: a worker's name is small letters, digits and underscores.")
    file = store.settings.home / "workers" / f"{name}.toml"
    shown = f"workers/{name}.toml"
    try:
        setup = WorkerSetup.model_validate(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        raise InputError(
            f"worker:{name} is not set up: there is no {shown} in AURELIA_HOME. aurelia targets {name} says what the "
            f"model needs; the file names python and script."
        ) from None
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in fault.errors())
        raise InputError(f"{shown} in AURELIA_HOME cannot be used: {wrong}.") from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{shown} in AURELIA_HOME cannot be read: {type(fault).__name__}.") from None
    for field in ("python", "script"):
        if not getattr(setup, field).is_file():
            raise InputError(f"{shown} in AURELIA_HOME names a {field} that is not there.")
    return WorkerChat(row=name, setup=setup, store=store)


def host_script() -> Path:
    """The script that runs inside the worker's environment; this project never imports it."""
    return Path(__file__).with_name("host.py")


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}]
    return [block if isinstance(block, dict) else {"type": "text", "text": block} for block in message.content]


def _text(message: BaseMessage) -> str:
    return "\n".join(block["text"] for block in _blocks(message) if block["type"] == "text")
