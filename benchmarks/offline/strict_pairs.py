"""Strict pairs: a true claim about a rendered scene, and a copy with one fact changed; both must be judged right.

Unlike a ranking of captions, a pair counts only if the true claim is "supported" and the false one "contradicted".
`claim_wordings` says which wordings the reader of claims knew; the figure for wordings that are not known is the one
that counts. Development used scenes from 73000, 96000 to 98000 and 101000 to 103000; published figures use scenes from
99000 and 104000 to 109000.
Run: `python -m benchmarks.offline.strict_pairs` (`--scenes 300` for full size; the default is about 12,000 pairs).
"""

import argparse
import copy
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from aurelia_core.claims import Verdict
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_offline.critic.claim_witness import measure_claim
from aurelia_offline.critic.evaluate import measure_evidence
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.offline.claim_wordings import WORDINGS, worded_claims
from benchmarks.offline.critic_changes import CHANGES
from benchmarks.offline.critic_scenes import Facts, facts_of, scene_of

_SAME_TIME_SECONDS = 0.4


class ClaimPair(NamedTuple):
    """A true claim and a false one that differs in one fact."""

    scene: int
    kind: str
    wording: int
    true: str
    false: str


class JudgedPair(NamedTuple):
    """A pair with the verdicts on its two claims."""

    pair: ClaimPair
    true: Verdict
    false: Verdict

    @property
    def right(self) -> bool:
        """Whether both claims were judged right."""
        return self.true == "supported" and self.false == "contradicted"


def _shift_flash(facts: Facts, rng: random.Random) -> bool:
    if facts.flashes:
        facts.flashes[0] = round((facts.flashes[0] + rng.uniform(1.5, 4.0)) % 5.5, 1)
    return bool(facts.flashes)


_KINDS: dict[str, Callable[[Facts, random.Random], bool]] = {
    **{
        name: CHANGES[name]
        for name in (
            "sound count",
            "sound time",
            "pitch",
            "kind of sound",
            "loudest",
            "order",
            "silence",
            "tempo",
            "place",
            "colour",
            "motion time",
            "background",
            "cuts",
            "sync",
        )
    },
    "flash time": _shift_flash,
}


def pairs_of_scene(seed: int, facts: Facts, wording: int) -> list[ClaimPair]:
    """One pair for each kind of change that the scene allows.

    Args:
        seed: the seed of the scene.
        facts: its facts.
        wording: 0 to 47.
    """
    found = []
    for number, (kind, change) in enumerate(_KINDS.items()):
        rng, changed = random.Random(seed * 100 + number), copy.deepcopy(facts)
        if not change(changed, rng) or (kind in ("sound time", "motion time") and _stays_true(facts, changed)):
            continue
        true, false = (
            {
                "sync" if one.fact[0] in ("together", "apart") else one.fact: one.text
                for one in worded_claims(of, wording)
            }
            for of in (facts, changed)
        )
        different = [fact for fact in true if fact in false and true[fact] != false[fact]]
        if different:
            found.append(ClaimPair(seed, kind, wording, true[different[0]], false[different[0]]))
    return found


def _stays_true(facts: Facts, changed: Facts) -> bool:
    """Whether an event of the same kind lies where a changed time puts one."""
    moved = [sound for sound, old in zip(changed.sounds, facts.sounds, strict=True) if sound["start"] != old["start"]]
    return any(
        sound["voice"] == old["voice"] and abs(sound["start"] - old["start"]) < _SAME_TIME_SECONDS
        for sound in moved
        for old in facts.sounds
    )


def judge(first: int, scenes: int, wordings: Sequence[int], folder: Path) -> Iterator[JudgedPair]:
    """Render scenes and judge the pairs of each, one wording a scene in turn.

    Args:
        first: seed of the first scene.
        scenes: number of scenes.
        wordings: the wordings to use.
        folder: an empty folder for the clips and the cache.
    """
    store = ClipStore(Settings(home=folder / "home", allow_any_file=True))
    for seed in range(first, first + scenes):
        facts = facts_of(seed)
        file = folder / f"{seed}.mp4"
        write_scene(parse_scene(scene_of(facts, seed)), file)
        clip = store.admit(file, kind="video")
        evidence = measure_evidence(clip, [], clip["duration"], store)
        for wording in wordings:
            for pair in pairs_of_scene(seed, facts, wording):
                true, false = (measure_claim(text, evidence)["verdict"] for text in (pair.true, pair.false))
                yield JudgedPair(pair, true, false)


def table(found: Sequence[JudgedPair]) -> str:
    """The pairs by kind: number, both right, the true claim supported, the false one contradicted; percent."""
    kinds: dict[str, list[JudgedPair]] = defaultdict(list)
    for one in found:
        kinds[one.pair.kind].append(one)
    lines = [
        "| changed fact | pairs | both right, % | true supported, % | false contradicted, % | false supported, % |",
        "|---|---|---|---|---|---|",
    ]
    for kind, rows in [*sorted(kinds.items()), ("all", list(found))]:
        shares = (
            sum(one.right for one in rows),
            sum(one.true == "supported" for one in rows),
            sum(one.false == "contradicted" for one in rows),
            sum(one.false == "supported" for one in rows),
        )
        cells = " | ".join(f"{100 * share / max(1, len(rows)):.1f}" for share in shares)
        lines.append(f"| {kind} | {len(rows)} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of some wordings."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--first", type=int, default=99000, help="seed of the first scene")
    options.add_argument("--scenes", type=int, default=40)
    options.add_argument("--wordings", type=int, nargs=2, default=(0, WORDINGS - 1), help="the first and the last one")
    options.add_argument("--show", action="store_true", help="print the pairs that were judged wrong")
    arguments = options.parse_args()
    first, last = arguments.wordings
    with tempfile.TemporaryDirectory() as folder:
        found = list(judge(arguments.first, arguments.scenes, range(first, last + 1), Path(folder)))
    for one in found:
        if arguments.show and not one.right:
            print(f"[{one.pair.scene}] {one.pair.kind} {one.pair.wording}: {one.true} {one.false}")
            print(f"   true:  {one.pair.true}\n   false: {one.pair.false}")
    scenes = f"{arguments.scenes} scenes from {arguments.first}"
    print(f"\n**Strict pairs, wordings {first} to {last}**: {scenes}\n\n{table(found)}")


if __name__ == "__main__":
    main()
