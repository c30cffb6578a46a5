"""The settings of a study, and its runs with the benchmark runner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_plan import make_plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.profiles import context_from_profile
from aurelia_core.settings import Settings
from aurelia_offline.study.conditions import ValuesById, value_answer
from state.context import Context

ZERO_SHOT, WITH_STEPS, AGENTS_ANSWER = "zero-shot", "steps", "agents' own answer"


class StudySettings(NamedTuple):
    """The settings of a study.

    Attributes:
        out: the folder for clips, runs and tables; an existing study is resumed.
        questions, seed: number of questions, and the seed for their choice.
        target: `provider:model`.
        concurrency: questions at the same time.
        progress: called with lines about the progress.
        ablation_questions: number of questions for the tables over T and tau (0: no tables).
        reliance_questions: number of questions for the table of modality reliance (0: no table).
        first: seed of the first clip; from 0 for tests.
        control_questions: number of questions for the controls (None: all).
        mixed_questions: number of questions for the table of mixed agents (0: no table).
        follow_ups: number of added follow-ups on a dialogue, asked in every condition except the controls.
    """

    out: Path
    questions: int
    target: str
    seed: int = 0
    concurrency: int = 4
    progress: Callable[[str], None] = lambda _: None
    ablation_questions: int = 0
    reliance_questions: int = 0
    first: int = 0
    control_questions: int | None = None
    mixed_questions: int = 0
    follow_ups: int = 0

    def context(self, **more: Any) -> Context:
        """The settings of a question: the offline agents with this target."""
        return context_from_profile("offline", {"target": self.target, "max_iterations": 3, **more})

    def house(self, media: Path) -> RunResources:
        """The resources of this machine, with the clips of a folder."""
        return RunResources(Settings.from_environment(local=True), media)


class RunOutcomes(NamedTuple):
    """The outcomes of a run by record id: zero-shot, and with the loop."""

    zero_shot: dict[str, Outcome]
    loops: dict[str, Outcome]

    def values(self, records: list[Record]) -> dict[str, ValuesById]:
        """The values of the answers: zero-shot, with steps, and the agents' own; a failed question counts 0."""
        known = {record.id: record for record in records}
        arms: dict[str, ValuesById] = {ZERO_SHOT: {}, WITH_STEPS: {}, AGENTS_ANSWER: {}}
        for name, found in self.zero_shot.items():
            arms[ZERO_SHOT][name] = value_answer(known[name], found.answer)
        for name, found in self.loops.items():
            arms[WITH_STEPS][name] = value_answer(known[name], found.answer)
            arms[AGENTS_ANSWER][name] = value_answer(known[name], best_reasoning(found).get("answer"))
        return arms


def best_reasoning(found: Outcome) -> dict[str, Any]:
    """The best reasoning of an outcome, or {}."""
    return dict((found.result or {}).get("best") or {})


async def run_loops(
    study: StudySettings, file: Path, out: Path, house: RunResources, context: Context, arms: str = "zero_shot,aurelia"
) -> RunOutcomes:
    """Run the benchmark runner; an existing run is resumed."""
    plan = make_plan(arms=arms, tasks=[], rpm=[], concurrency=study.concurrency)
    await run_bench(file, out, context, plan, house)
    with RunFile.open(out) as run:
        return RunOutcomes(
            {found.record: found for found in run.outcomes("zero_shot")},
            {found.record: found for found in run.outcomes("aurelia")},
        )
