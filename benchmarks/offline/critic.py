"""Measures whether the offline Evaluator ranks a true caption above a copy with one changed fact.

It renders random scenes to mp4 files, reads them through the clip store, and scores a true caption and copies with one
changed fact. Accuracy is the share of pairs with score(true) > score(false); a tie counts as wrong. Two baselines run
with it: `blind` scores a hash of the caption's text (50 % expected); `wrong clip` is the same critic with the clip of
the previous scene.

Development used scenes 1000 to 1999, 70000 to 71999 and 90000 to 90049; published figures use scenes from 95000.
Run: `python -m benchmarks.offline.critic`.
"""

import argparse
import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.offline.claim_wordings import WORDINGS
from benchmarks.offline.critic_changes import Pair, pairs_of
from benchmarks.offline.critic_scenes import facts_of, scene_of
from tests.support.offline_roles import evaluate_caption


class Scored(NamedTuple):
    """A pair with its scores by the critic, and by the critic with a wrong clip; None counts as 0."""

    pair: Pair
    true: int
    false: int
    true_elsewhere: int
    false_elsewhere: int


def blind(text: str) -> int:
    """The baseline: a number from the caption's text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def run(first: int, scenes: int, each: int, folder: Path) -> Iterator[Scored]:
    """Render scenes and score their pairs, each scene in two of the wordings in turn.

    Args:
        first: seed of the first scene.
        scenes: number of scenes.
        each: maximum number of pairs of a scene in one wording.
        folder: an empty folder for the clips and the cache.
    """
    store = ClipStore(Settings(home=folder / "home", allow_any_file=True))
    before: dict[str, Any] | None = None
    for seed in range(first, first + scenes):
        facts = facts_of(seed)
        write_scene(parse_scene(scene_of(facts, seed)), folder / f"{seed}.mp4")
        clip = store.admit(folder / f"{seed}.mp4", kind="video")
        request = {"clip": clip, "tracks": [], "duration": clip["duration"], "has_audio": clip["has_audio"]}
        for wording in (2 * seed % WORDINGS, (2 * seed + 1) % WORDINGS):
            for pair in pairs_of(seed, facts, each, wording):
                own = [_score(request, text, store) for text in (pair.true, pair.false)]
                other = [_score(before, text, store) for text in (pair.true, pair.false)] if before else [0, 0]
                yield Scored(pair, *own, *other)
        before = request


def _score(request: dict[str, Any], text: str, store: ClipStore) -> int:
    return evaluate_caption({**request, "caption": text}, store)["score"] or 0


def _row(name: str, found: list[Scored]) -> str:
    count = len(found)
    right = sum(one.true > one.false for one in found) / count
    ties = sum(one.true == one.false for one in found) / count
    coin = sum(blind(one.pair.true) > blind(one.pair.false) for one in found) / count
    other = sum(one.true_elsewhere > one.false_elsewhere for one in found) / count
    return f"{name:16} {count:5} {right:7.1%} {ties:6.1%} {coin:7.1%} {other:10.1%}"


def _table(title: str, found: list[Scored]) -> None:
    kinds: dict[str, list[Scored]] = defaultdict(list)
    for one in found:
        kinds[one.pair.kind].append(one)
    print(f"\n{title}\n{'changed fact':16} {'pairs':>5} {'critic':>7} {'ties':>6} {'blind':>7} {'wrong clip':>10}")
    for kind, rows in [*sorted(kinds.items()), ("all", found)]:
        print(_row(kind, rows))
    true = sum(one.true for one in found) / len(found)
    gap = sum(one.true - one.false for one in found) / len(found)
    print(f"mean score of the true captions {true:.2f}; mean fall by one changed fact {gap:.2f}")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--first", type=int, default=95000, help="seed of the first scene")
    options.add_argument("--scenes", type=int, default=50)
    options.add_argument("--each", type=int, default=5, help="pairs for each scene and wording")
    options.add_argument("--show", action="store_true", help="print the wrongly ranked pairs")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scored = list(run(arguments.first, arguments.scenes, arguments.each, Path(folder)))
    for one in scored:
        if arguments.show and one.true <= one.false:
            print(f"[{one.pair.scene}] {one.pair.kind}: {one.true} <= {one.false}")
            print(f"   true:  {one.pair.true}\n   false: {one.pair.false}")
    _table("captions of all claims in one wording", scored)


if __name__ == "__main__":
    main()
