"""How a study is made, and the runs of the ordinary benchmark runner that it rests on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_plan import make_plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.profiles import context_from_profile
from aurelia_core.settings import Settings
from aurelia_offline.study.conditions import ValuesById, answer_value
from state.context import Context

ZERO_SHOT, WITH_STEPS, AGENTS_ANSWER = "zero-shot", "steps", "agents' own answer"


class StudySettings(NamedTuple):
    """How a study is made.

    Attributes:
        out: the folder for clips, runs and tables; what is there already is gone on with.
        questions, seed: how many, and of their draw.
        target: `provider:model`.
        concurrency: questions at the same time.
        tell: called with a line now and then.
        ablated: how many of the questions the tables over T and tau rest on (0: no such tables).
        reliant: how many of them modality reliance rests on (0: no such table).
        first: seed of the first clip; from 0 on they are for tests.
        controlled: how many of the questions the controls are asked on (None: all).
        mixed: how many of the questions the table of two mixed agents rests on (0: no such table).
        talks: how many follow-ups on a dialogue are asked beside them, in every arm but the controls.
    """

    out: Path
    questions: int
    target: str
    seed: int = 0
    concurrency: int = 4
    tell: Callable[[str], None] = lambda _: None
    ablated: int = 0
    reliant: int = 0
    first: int = 0
    controlled: int | None = None
    mixed: int = 0
    talks: int = 0

    def context(self, **more: Any) -> Context:
        """The settings of a question: the offline agents around the target."""
        return context_from_profile("offline", {"target": self.target, "max_iterations": 3, **more})

    def house(self, media: Path) -> RunResources:
        """This machine, with the clips of a folder."""
        return RunResources(Settings.from_environment(local=True), media)


class RunOutcomes(NamedTuple):
    """One run file read: the outcomes of both arms by record id."""

    alone: dict[str, Outcome]
    loops: dict[str, Outcome]

    def values(self, records: list[Record]) -> dict[str, ValuesById]:
        """What every answer is worth: zero-shot, with steps, and the agents' own; a failed question counts 0."""
        known = {record.id: record for record in records}
        arms: dict[str, ValuesById] = {ZERO_SHOT: {}, WITH_STEPS: {}, AGENTS_ANSWER: {}}
        for name, found in self.alone.items():
            arms[ZERO_SHOT][name] = answer_value(known[name], found.answer)
        for name, found in self.loops.items():
            arms[WITH_STEPS][name] = answer_value(known[name], found.answer)
            arms[AGENTS_ANSWER][name] = answer_value(known[name], best_reasoning(found).get("answer"))
        return arms


def best_reasoning(found: Outcome) -> dict[str, Any]:
    """The best reasoning of an outcome; {} where there is none."""
    return dict((found.result or {}).get("best") or {})


async def run_loops(
    how: StudySettings, file: Path, out: Path, house: RunResources, context: Context, arms: str = "zero_shot,aurelia"
) -> RunOutcomes:
    """A run of the ordinary benchmark runner, gone on with where it was."""
    plan = make_plan(arms=arms, tasks=[], rpm=[], concurrency=how.concurrency)
    await run_bench(file, out, context, plan, house)
    with RunFile.open(out) as run:
        return RunOutcomes(
            {found.record: found for found in run.outcomes("zero_shot")},
            {found.record: found for found in run.outcomes("aurelia")},
        )
