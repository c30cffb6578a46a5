"""Critic, filter and gate on questions of the mini world, with the miniature as the target: accuracy, harm and cost.

Harm is the share of the questions that the miniature answers right by itself and wrong in the end. The generator errs
in its first look (two shapes change places), and steps with their findings are injected, which the miniature believes;
with one attempt (`--attempts 1`, the default) that error is not mended, so what critic, filter and gate do is seen
alone. Calls that two settings share are made once; a setting's calls are counted as if it had been alone.
Run: `python -m benchmarks.offline.grounded` (`--questions 1000` for full size).
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import read_records
from aurelia.profiles import context_from_profile
from aurelia.run.ask import answer_question
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.study.conditions import value_answer
from aurelia_offline.study.planted_errors import make_planted_agent
from aurelia_offline.study.tables import share_text
from aurelia_offline.world.benchmark import write_benchmark
from state.context import Context, Critic, Gate, InjectFilter

_GATES: tuple[Gate, ...] = ("always", "agree", "arbiter")
_CRITICS: tuple[tuple[Critic, InjectFilter], ...] = (
    ("holistic", "none"),
    ("claims", "none"),
    ("claims", "supported"),
)


class _CountingLedger(CallLedger):
    """Counts the calls that are asked of it, stored replies included."""

    asked = 0

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        """The reply, counted."""
        self.asked += 1
        return await super().call(*args, **kwargs)


class Cell(NamedTuple):
    """One setting over the questions: values of the zero-shot and of the final answer by question, 0..1, and calls."""

    context: Context
    zero_shot: list[float]
    final: list[float]
    calls: list[int]

    @property
    def harmed(self) -> int:
        """Questions that were right without reasoning and are wrong in the end."""
        return sum(before >= 1 > after for before, after in zip(self.zero_shot, self.final, strict=True))

    @property
    def mended(self) -> int:
        """Questions that were wrong without reasoning and are right in the end."""
        return sum(before < 1 <= after for before, after in zip(self.zero_shot, self.final, strict=True))


async def run(
    questions: int, first: int, generator: str, attempts: int, folder: Path, progress: Callable[[list[Cell]], None]
) -> list[Cell]:
    """The cells over test questions.

    Args:
        questions: number of questions; captions are left out.
        first: seed of the first clip.
        generator: `provider:model`.
        attempts: T.
        folder: for the clips and the ledger.
        progress: called with the cells after every twentieth question.
    """
    made = write_benchmark(folder, questions, first=first)
    records = [record for record in read_records(made.file) if record.choices]
    settings = Settings(home=folder / "home", allow_any_file=True)
    store, ledger = ClipStore(settings), _CountingLedger(settings.ledger_file)
    client = ModelClient(settings, providers={"planted": make_planted_agent}, store=store, ledger=ledger)
    cells = []
    for (critic, inject_filter), gate in product(_CRITICS, _GATES):
        chosen = {"critic": critic, "inject_filter": inject_filter, "gate": gate, "generator": generator}
        context = context_from_profile(
            "offline", {**chosen, "target": "transformers:mini", "inject": "steps+answers", "max_iterations": attempts}
        )
        cells.append(Cell(context, [], [], []))
    for number, record in enumerate(records, 1):
        asked: Any = {
            "video": str(made.media / record.clip_name),
            "question": record.full_question(),
            "choices": record.choices,
        }
        for cell in cells:
            before = ledger.asked
            result = await answer_question(asked, cell.context, client=client)
            cell.zero_shot.append(value_answer(record, result["zero_shot_reply"]))
            cell.final.append(value_answer(record, result["reply"]))
            cell.calls.append(ledger.asked - before)
        if number % 20 == 0:
            progress(cells)
    client.close()
    return cells


def table(cells: Sequence[Cell]) -> str:
    """The cells as Markdown."""
    lines = [
        "| critic | inject_filter | gate | zero-shot, % | right, % [95 %] | mended | harmed | harm, % | calls |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        count, right = len(cell.final), sum(value >= 1 for value in cell.zero_shot)
        found = share_text(sum(value >= 1 for value in cell.final), count)
        harm = 100 * cell.harmed / max(1, right)
        context = cell.context
        lines.append(
            f"| {context.critic} | {context.inject_filter} | {context.gate} | {100 * right / count:.1f} | {found} |"
            f" {cell.mended} | {cell.harmed} | {harm:.1f} | {sum(cell.calls) / count:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--questions", type=int, default=60)
    options.add_argument("--first", type=int, default=2000, help="seed of the first clip")
    options.add_argument("--generator", default="planted:source", help="offline:measure or planted:ERROR")
    options.add_argument("--attempts", type=int, default=1, help="attempts of the loop (T)")
    arguments = options.parse_args()
    how = f"generator {arguments.generator}, steps+answers, T = {arguments.attempts}, tau = 8"

    def show(cells: list[Cell]) -> None:
        print(f"**Critic, filter and gate**: {len(cells[0].final)} questions, {how}\n\n{table(cells)}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        given = arguments.questions, arguments.first, arguments.generator, arguments.attempts
        show(asyncio.run(run(*given, Path(folder), show)))


if __name__ == "__main__":
    main()
