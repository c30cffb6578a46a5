"""`worker:ROW`: a model in a separate process with its own Python environment, such as a research repository's.

The operator describes the process in `workers/ROW.toml` in the home folder; a run can only name an existing row. This
process decodes the media of a request; the worker reads pictures and WAV files. The first call starts the worker. Each
answer has a time limit. A process that died is started again by the next call; the ledger decides about retries. A
process answers one request at a time.
"""

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from aurelia_core.media import ClipStore
from aurelia_core.models.base import ClipModel
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import ClipRequest, request_of
from aurelia_core.models.worker.content import WorkerContent
from aurelia_core.models.worker.process import WorkerProcess
from aurelia_core.models.worker.setup import WorkerSetup, read_worker_setup
from aurelia_core.types import Sense


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
    _content: WorkerContent = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the process without starting it."""
        model_id = f"worker:{self.worker_name}"
        log = self.store.settings.home / "workers" / f"{self.worker_name}.log"
        command = [str(self.setup.python), str(host_script()), str(self.setup.script)]
        if self.setup.folder:
            command.append(str(self.setup.folder))
        self._content = WorkerContent(self.store, model_id, self.setup)
        self._process = WorkerProcess(
            model_id,
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
        """Everything besides the messages that determines a reply: protocol, script, options, and what it takes."""
        script = hashlib.sha256(self.setup.script.read_bytes()).hexdigest()
        taken = self.setup.model_dump(include={"protocol", "options", "frames", "sees", "sounds"})
        return {"worker": self.worker_name, "script": script, **taken}

    @property
    def decoding_settings(self) -> frozenset[str]:
        """The settings that the script carries, and the system text, which it may use."""
        return frozenset({"system", *self.setup.decoding})

    def check_clip(self, media: MediaRequest, *, sees_clip: bool) -> None:
        """Refuse a clip that the model does not accept, before anything is asked.

        Raises:
            InputError: the message names the remedy.
        """
        if sees_clip:
            self._content.check_clip(media)

    def missing_modalities(self, media: MediaRequest) -> list[Sense]:
        """The senses of the clip that the model does not accept."""
        return self._content.missing_modalities(media)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with tempfile.TemporaryDirectory(prefix="aurelia-worker-") as folder:
            request = self.request(messages, Path(folder))
            text = str(self._process.ask("answer", self.setup.answer_seconds, request=request))
        metadata: dict[str, Any] = {"cost_usd": 0.0, "media_uploads": 0, "worker": self._process.facts}
        if notes := self._notes(messages):
            metadata["notes"] = notes
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, response_metadata=metadata))])

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

    def start(self) -> dict[str, Any]:
        """Start the worker if necessary; returns its protocol, its Python and the versions of its packages.

        Raises:
            ModelError: the worker cannot be started, or its model cannot be loaded.
        """
        return self._process.start()

    def close(self) -> None:
        """Stop the process; the next request starts it again."""
        self._process.stop()

    def shifts_frames(self, media: MediaRequest) -> bool:
        """No: the frames of a request are those of its look at the whole clip."""
        return False

    def request(self, messages: list[BaseMessage], folder: Path) -> dict[str, Any]:
        """The argument of a script's `answer` (docs/workers.md); its files are written into the empty folder `folder`.

        Raises:
            InputError: the model does not accept the request.
            MediaError: the clip cannot be decoded.
        """
        return self._content.request(messages, folder)

    def _notes(self, messages: list[BaseMessage]) -> list[str]:
        asked = request_of(messages)
        if not isinstance(asked, ClipRequest) or asked.media is None:
            return []
        return asked.media.notes(f"worker:{self.worker_name}", self.missing_modalities(asked.media))


def make_worker(name: str, store: ClipStore) -> WorkerChat:
    """The worker `name` with the operator's settings.

    Raises:
        InputError: the worker is not set up, or its file is invalid.
    """
    return WorkerChat(worker_name=name, setup=read_worker_setup(store.settings.home, name), store=store)


def host_script() -> Path:
    """The script that runs in the worker's environment; this project does not import it."""
    return Path(__file__).with_name("host.py")
