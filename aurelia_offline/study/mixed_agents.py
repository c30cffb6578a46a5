"""Two unlike measuring agents as generator and evaluator, in all four pairings (Table 4 in kind).

Through the real graph and runner, with what the agents find injected (`steps+answers`): a plan states nothing that one
agent could measure better than another. The agents are `aurelia_offline.study.biased_agents`'s; summarizer and feedback stay the offline
agent's, who senses nothing in these roles.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

from aurelia.bench.records import Record, write_records
from aurelia_offline.study.biased_agents import KEEN, SENSES, Keen, keen
from aurelia_offline.study.loops import AGENTS, STEPS, Runs, Study, looped
from aurelia_offline.study.tables import against, table

Pair = tuple[Keen, Keen]
AT_ONCE = 48
"""Questions that go through all pairings before the next ones: what was measured in their clips is still remembered."""
TOLD = {"ears": "hears finely", "eyes": "sees finely"}


async def mixed(how: Study, records: Sequence[Record], media: Path) -> str:
    """The table: target and agents with each pairing; compared with the better pairing of an agent with itself.

    Args:
        how: how the study is made.
        records: the questions; captions, which have no choices, are left out.
        media: the folder of their clips.
    """
    asked = [record for record in records if record.choices]
    house = replace(how.house(media), providers={"keen": keen})
    found: dict[Pair, Runs] = {pair: Runs({}, {}) for pair in product(KEEN, KEEN)}
    for first in range(0, len(asked), AT_ONCE):
        file = how.out / f"mixed-{first}.jsonl"
        write_records(asked[first : first + AT_ONCE], file)
        how.tell(f"mixed agents: questions from {first + 1} on, of {len(asked)}")
        for (generator, evaluator), runs in found.items():
            context = how.context(generator=f"keen:{generator}", evaluator=f"keen:{evaluator}", inject="steps+answers")
            run = file.with_name(f"{file.stem}-{generator}-{evaluator}.run")
            runs.loops.update((await looped(how, file, run, house, context, "aurelia")).loops)
    return told(asked, found)


def told(records: Sequence[Record], found: dict[Pair, Runs]) -> str:
    """The runs of the four pairings as a table."""
    known = {pair: runs.values(list(records)) for pair, runs in found.items()}
    best = max(((one, one) for one in KEEN), key=lambda pair: sum(known[pair][STEPS].values()))
    rows = []
    for pair, arms in known.items():
        cells = against(arms[STEPS], known[best][STEPS], records, same=pair == best)
        own = against(arms[AGENTS], arms[AGENTS], records, same=True)[0]
        rows.append([TOLD[pair[0]], TOLD[pair[1]], str(len(records)), *cells, own, *_loop(found[pair])])
    first = f"points over {TOLD[best[0]]} twice [95 %]"
    heads = ["generator", "evaluator", "n", "target, % [95 %]", first, "gained / lost", "McNemar p"]
    heads += ["agents' own answer, % [95 %]", "best score", "attempts"]
    ears, eyes = SENSES["ears"], SENSES["eyes"]
    return table(
        "Two unlike agents, alone and mixed, as Table 4", heads, rows,
        f"What was found is injected (steps+answers). Who hears finely sees {ears.frames} frames a look as generator"
        f" and {ears.fps:g} a second as evaluator; who sees finely hears {eyes.samples} samples and {eyes.rate} Hz.",
    )  # fmt: skip


def _loop(runs: Runs) -> list[str]:
    """Mean score of the best attempts, and mean number of attempts, over the questions whose loop ended well."""
    ended = [found.result for found in runs.loops.values() if found.result]
    scores = [result["score"] for result in ended if result["score"] is not None]
    attempts = [len(result["iterations"]) for result in ended]
    return [f"{fmean(values):.2f}" if values else "–" for values in (scores, attempts)]
