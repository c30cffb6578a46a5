"""The claims of a caption, what a witness found about each, and the score that follows from the verdicts. Plain JSON.

A claim is one statement that can be true or false on its own, with the part of the clip where it must hold. A witness
is whatever checks it: an audio-visual LLM, the measuring critic, the miniature, a tool with open weights. A witness has
three answers; "cannot_tell" is the honest one where it did not cover the window, or does not know the kind.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NotRequired, get_args

from typing_extensions import TypedDict

from aurelia_core.types import Modality, Window

ClaimKind = Literal[
    "sound", "order", "sound_count", "speech", "object", "object_count", "place", "colour", "text", "action", "source",
    "tempo", "cut", "other",
]  # fmt: skip
"""Sound present; order or time of events; count of sounds; speech said; object present; count of things; place; colour;
text on screen; action; sound belongs to picture; tempo; cut or fade; other."""
Verdict = Literal["supported", "contradicted", "cannot_tell"]
CLAIM_KINDS: tuple[ClaimKind, ...] = get_args(ClaimKind)
CLAIM_VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_SUPPORTED_ALONE, _ALL_CHECKED = 6, 10
_CONTRADICTED, _LOWEST = 6, 1


class Claim(TypedDict):
    """One statement of a caption.

    `window` is where it must hold; None: anywhere in the clip. The other fields are the statement's parts, where it has
    them: `subject` (the thing or sound it speaks of), `other` (the second event of an order, the picture's side of a
    sound that belongs to it), `value` (the colour, the place, the words said or written), `count` (how many),
    `relation` ("before", "after", "during", "at least", …), `negated` (it denies that the rest is so).
    """

    text: str
    kind: ClaimKind
    modality: Modality
    window: Window | None
    subject: NotRequired[str]
    other: NotRequired[str]
    value: NotRequired[str]
    count: NotRequired[float]
    relation: NotRequired[str]
    negated: NotRequired[bool]


class Finding(TypedDict):
    """What a witness found about a claim.

    `window` is the part of the clip that was looked at; None: all of it. `margin` is how clearly, -1 (contradicted)
    to 1 (supported), 0 undecided; None where the witness has no measure. `witness` is its name (`provider:model`, or a
    tool's), `reason` one line for people.
    """

    claim: Claim
    verdict: Verdict
    window: Window | None
    witness: str
    margin: float | None
    reason: str


def score_verdicts(verdicts: Iterable[Verdict]) -> int | None:
    """The score of a caption, 1 to 10, from the verdicts on its claims; None where nothing could be checked.

    With S supported, C contradicted and U claims that no witness could tell:

    - S + C = 0: None. A caption of which nothing could be checked has no score.
    - C > 0: 1 + 5 S / (S + C), rounded down: 1 to 5. One contradicted claim keeps a caption below the threshold.
    - C = 0: 6 + 4 S / (S + U), rounded down: 6 to 10. 10: all claims hold; 8: at least half of them hold, and the
      others could not be told.
    """
    found = list(verdicts)
    supported, contradicted = found.count("supported"), found.count("contradicted")
    if not supported + contradicted:
        return None
    if contradicted:
        return _LOWEST + (_CONTRADICTED - _LOWEST) * supported // (supported + contradicted)
    return _SUPPORTED_ALONE + (_ALL_CHECKED - _SUPPORTED_ALONE) * supported // len(found)


def merge_findings(first: Sequence[Finding], second: Sequence[Finding]) -> list[Finding]:
    """The findings of two witnesses on the same claims, claim by claim.

    Where one cannot tell, the other's finding stands; where they agree, both names; where they contradict each other,
    the verdict is "cannot_tell" and the reason gives both sides.
    """
    return [_merge(one, other) for one, other in zip(first, second, strict=True)]


def _merge(one: Finding, other: Finding) -> Finding:
    if other["verdict"] == "cannot_tell":
        return one
    if one["verdict"] == "cannot_tell":
        return other
    reason = "; ".join(f"{each['witness']}: {each['reason']}" for each in (one, other))
    witness = f"{one['witness']}, {other['witness']}"
    if one["verdict"] == other["verdict"]:
        return {**one, "witness": witness, "reason": reason}
    reason = f"the two disagree: {reason}"
    return {**one, "verdict": "cannot_tell", "witness": witness, "margin": None, "reason": reason}
