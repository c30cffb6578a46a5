"""Two agents with different strengths as generator and evaluator, in all four pairings (in the manner of Table 4).

The runs use the real graph and runner. The findings are injected too (`steps+answers`), because steps alone do not show
which agent measured better. `biased_agents` provides the two agents; summarizer and feedback are the offline agent,
which does not look at the clip in these roles.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

from aurelia.bench.records import Record, write_records
from aurelia_offline.study.biased_agents import FINE_SENSES, SENSING_LIMITS, FineSense, make_biased_agent
from aurelia_offline.study.loops import AGENTS_ANSWER, WITH_STEPS, RunOutcomes, StudySettings, run_loops
from aurelia_offline.study.tables import comparison_cells, study_table

AgentPair = tuple[FineSense, FineSense]
_QUESTIONS_PER_BATCH = 48
"""Questions in one batch. A batch passes all pairings while the measurements of its clips are still cached."""
_SENSE_WORDS = {"ears": "hears finely", "eyes": "sees finely"}


async def run_mixed_agents(study: StudySettings, records: Sequence[Record], media: Path) -> str:
    """The table: target and agents with each pairing, compared with the better pairing of an agent with itself.

    Args:
        study: the settings of the study.
        records: the questions; captions, which have no choices, are left out.
        media: the folder of the clips.
    """
    asked = [record for record in records if record.choices]
    house = replace(study.house(media), providers={"keen": make_biased_agent})
    found: dict[AgentPair, RunOutcomes] = {pair: RunOutcomes({}, {}) for pair in product(FINE_SENSES, FINE_SENSES)}
    for first in range(0, len(asked), _QUESTIONS_PER_BATCH):
        file = study.out / f"mixed-{first}.jsonl"
        write_records(asked[first : first + _QUESTIONS_PER_BATCH], file)
        study.progress(f"mixed agents: questions from {first + 1} on, of {len(asked)}")
        for (generator, evaluator), runs in found.items():
            agents = {"generator": f"keen:{generator}", "evaluator": f"keen:{evaluator}"}
            context = study.context(**agents, inject="steps+answers")
            run = file.with_name(f"{file.stem}-{generator}-{evaluator}.run")
            runs.loops.update((await run_loops(study, file, run, house, context, "aurelia")).loops)
    return _mixed_agents_table(asked, found)


def _mixed_agents_table(records: Sequence[Record], found: dict[AgentPair, RunOutcomes]) -> str:
    """The table of the four pairings."""
    known = {pair: runs.values(list(records)) for pair, runs in found.items()}
    best = max(((one, one) for one in FINE_SENSES), key=lambda pair: sum(known[pair][WITH_STEPS].values()))
    rows = []
    for pair, arms in known.items():
        cells = comparison_cells(arms[WITH_STEPS], known[best][WITH_STEPS], records, same=pair == best)
        own = comparison_cells(arms[AGENTS_ANSWER], arms[AGENTS_ANSWER], records, same=True)[0]
        rows.append(
            [_SENSE_WORDS[pair[0]], _SENSE_WORDS[pair[1]], str(len(records)), *cells, own, *_loop_figures(found[pair])]
        )
    first = f"points over {_SENSE_WORDS[best[0]]} twice [95 %]"
    heads = ["generator", "evaluator", "n", "target, % [95 %]", first, "gained / lost", "McNemar p"]
    heads += ["agents' own answer, % [95 %]", "best score", "attempts"]
    ears, eyes = SENSING_LIMITS["ears"], SENSING_LIMITS["eyes"]
    return study_table(
        "Two unlike agents, alone and mixed, as Table 4", heads, rows,
        f"What was found is injected (steps+answers). Who hears finely sees {ears.frames} frames a look as generator"
        f" and {ears.fps:g} a second as evaluator; who sees finely hears {eyes.samples} samples and {eyes.rate} Hz.",
    )  # fmt: skip


def _loop_figures(runs: RunOutcomes) -> list[str]:
    """Mean score of the best attempts, and mean number of attempts, over the completed loops."""
    ended = [found.result for found in runs.loops.values() if found.result]
    scores = [result["score"] for result in ended if result["score"] is not None]
    attempts = [len(result["iterations"]) for result in ended]
    return [f"{fmean(values):.2f}" if values else "–" for values in (scores, attempts)]
