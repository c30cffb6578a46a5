"""The real graph around a scripted model, and the small clip that most tests ask about."""

from pathlib import Path
from typing import Any, NamedTuple

from aurelia.run.ask import answer_question
from aurelia_core.models.client import ModelClient
from graph.build import build_graph
from graph.compiled import AureliaGraph
from state.context import make_context
from tests.support.scripted import ScriptedChat

DUET: dict[str, Any] = {
    "seconds": 2.0,
    "fps": 12,
    "width": 160,
    "height": 120,
    "background": "black",
    "shapes": [
        {"colour": "red", "shape": "circle", "x": 0.25, "y": 0.5, "size": 0.3, "moves": [[0.2, 0.7]]},
        {"colour": "blue", "shape": "square", "x": 0.75, "y": 0.5, "size": 0.3, "moves": [[1.2, 1.8]]},
    ],
    "sounds": [
        {"start": 0.2, "end": 0.7, "voice": "tone", "pitch": 440.0, "level": -14.0},
        {"start": 1.2, "end": 1.8, "voice": "tone", "pitch": 1200.0, "level": -30.0},
    ],
}


async def no_wait(seconds: float) -> None:
    """Retries at once."""


class Stage(NamedTuple):
    """The real graph around a scripted model."""

    model: ScriptedChat
    desk: ModelClient
    clip: Path

    def graph(self, checkpointer: Any = None) -> AureliaGraph:
        """The graph at this desk."""
        return build_graph(client=self.desk, checkpointer=checkpointer)

    async def ask(self, *, choices: list[str] | None = None, **context: Any) -> dict[str, Any]:
        """One question through the graph."""
        roles = dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), "scripted:one")
        question: Any = {"video": str(self.clip), "question": "What is heard?", "choices": choices or []}
        return await answer_question(question, make_context({**roles, **context}), client=self.desk)
