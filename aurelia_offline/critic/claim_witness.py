"""The measuring critic as a witness: takes a caption apart into claims, and checks claims one by one.

The same rules that score a whole caption (`claim_checker`) decide each claim on its own: one contradicted detail
contradicts it. What names nothing measurable cannot be told.
"""

from collections.abc import Sequence
from typing import Any

from aurelia_core.claims import Claim, ClaimKind, Verdict
from aurelia_core.models.requests import ClaimCheckRequest, ClaimsRequest
from aurelia_core.types import Modality, Window
from aurelia_offline.critic import claims as measured
from aurelia_offline.critic.caption_parser import parse_caption
from aurelia_offline.critic.caption_text import CLIP_END, normalize_caption, read_times, unknown_words
from aurelia_offline.critic.claim_checker import ClaimChecker
from aurelia_offline.critic.claim_names import leans_on_others
from aurelia_offline.critic.evaluate import gather_evidence
from aurelia_offline.critic.evidence import Evidence
from aurelia_offline.critic.matching import Fact
from aurelia_offline.critic.plain_claims import (
    leaves_order_out,
    leaves_out,
    states_comparison,
    states_direction,
)
from aurelia_offline.critic.score import UNSURE_BELOW, difference_text
from aurelia_offline.critic.sound_checks import ORDINAL_RANKS

WITNESS = "measuring critic"
_KINDS: dict[measured.DetailKind, ClaimKind] = {
    "sound": "sound",
    "sound_count": "sound_count",
    "rank": "sound",
    "compare": "sound",
    "order": "order",
    "silence": "sound",
    "tempo": "tempo",
    "motion": "action",
    "motion_count": "object_count",
    "background": "colour",
    "colour": "colour",
    "cut": "cut",
    "flash": "cut",
    "sync": "source",
    "duration": "other",
}
_HEARD = frozenset({"sound", "sound_count", "rank", "compare", "silence", "tempo"})
_SEEN = frozenset({"motion", "motion_count", "background", "colour", "cut", "flash"})
_WHOLE = frozenset({"compare", "order", "background", "sync", "silence"})
_MOMENT_SECONDS = 0.3


def read_claims(request: ClaimsRequest) -> dict[str, Any]:
    """The claims of a caption, in its order; the parts that name nothing measurable come last, as "other"."""
    parsed = parse_caption(request.caption)
    found = [_claim(claim) for claim in parsed.claims]
    found += [Claim(text=text, kind="other", modality="both", window=None) for text in parsed.unread]
    known: dict[str, Claim] = {}
    for claim in found:
        known.setdefault(claim["text"], claim)
    return {"claims": list(known.values())}


def check_claims(request: ClaimCheckRequest, store: Any) -> dict[str, Any]:
    """The checks of the claims of a request, by their numbers from 1.

    Args:
        request: the claims and the clip.
        store: the clip store with the media.

    Raises:
        MediaError: the clip cannot be read.
    """
    evidence = gather_evidence(request, store)
    checks = [measure_claim(claim["text"], evidence) for claim in request.claims]
    return {"checks": [{"number": number, **check} for number, check in enumerate(checks, 1)]}


def measure_claim(text: str, evidence: Evidence) -> dict[str, Any]:
    """The check of one claim: verdict, margin, window, witness and reason."""
    parsed = parse_caption(text)
    facts = ClaimChecker(evidence).check(parsed.claims).facts
    verdict, fact, reason = _decide(facts)
    whole = parsed.whole or _is_read_whole(parsed, text)
    if verdict == "supported" and not whole and (unknown := unknown_words(text)):
        # What these words say may be the one thing that does not hold.
        verdict, reason = "cannot_tell", f"the words {', '.join(map(repr, unknown[:3]))} are not understood here"
    if not parsed.whole and (passed_over := _passed_over(parsed, text, verdict)):
        verdict, reason = "cannot_tell", passed_over
    window = None
    if fact and fact.window and fact.window[1] > fact.window[0]:
        window = Window(start=max(0.0, round(fact.window[0], 3)), end=round(fact.window[1], 3))
    margin = round(fact.verdict, 2) if fact else None
    return {"verdict": verdict, "margin": margin, "window": window, "witness": WITNESS, "reason": reason}


def _passed_over(parsed: measured.ParsedCaption, text: str, verdict: Verdict) -> str:
    """What the checks of a claim leave out, so that they cannot decide it; empty if nothing."""
    if "?" in text:
        return "a question is no claim"
    if leans_on_others(text):
        return "its sentences were not read together"
    if verdict == "supported" and leaves_out(text, parsed.claims):
        return "a part of it was not read"
    if verdict == "supported" and states_direction(text):
        return "the direction of a movement is not measured"
    if verdict == "supported" and any(claim.kind == "colour" and claim.about.spans for claim in parsed.claims):
        return "the time of a colour that does not move is not measured"
    if verdict == "supported" and not any(claim.kind == "order" for claim in parsed.claims) and leaves_order_out(text):
        return "the order that it states was not read"
    placed = [claim.about.rank in ORDINAL_RANKS for claim in parsed.claims if claim.kind == "rank"]
    if verdict == "supported" and placed and all(placed) and states_comparison(text):
        return "the comparison that it states was not read"
    return ""


def _is_read_whole(parsed: measured.ParsedCaption, text: str) -> bool:
    """Whether what was read holds all that the text can be about: each claim a time, a number, a rank or a relation.

    A colour or a sound alone is not whole: an unknown word beside it may be what is claimed. Neither is a text with a
    time that no claim took up.
    """
    taken = any(claim.about.spans for claim in parsed.claims) or not read_times(normalize_caption(text))
    return taken and not parsed.unread and all(_is_complete(claim) for claim in parsed.claims)


def _is_complete(claim: measured.Detail) -> bool:
    stated = bool(claim.about.spans) or claim.number is not None or claim.about.rank is not None
    return claim.kind in _WHOLE or (stated and claim.kind != "colour")


def _decide(facts: Sequence[Fact]) -> tuple[Verdict, Fact | None, str]:
    """The verdict on a claim from its details, with the detail that decides it."""
    if not facts:
        return "cannot_tell", None, "it names nothing that can be measured here"
    worst = min(facts, key=lambda fact: fact.verdict)
    if worst.verdict <= -UNSURE_BELOW:
        return "contradicted", worst, difference_text(worst)
    if max(fact.verdict for fact in facts) < UNSURE_BELOW:
        return "cannot_tell", worst, "measured, but too unsurely to confirm or deny it"
    return "supported", worst, f"{len(facts)} of its details were measured and hold"


def _claim(claim: measured.Detail) -> Claim:
    modality: Modality = "both"
    if claim.kind in _HEARD or (claim.kind == "order" and claim.about.topic == "sound"):
        modality = "audio"
    elif claim.kind in _SEEN:
        modality = "visual"
    window = None
    if claim.about.spans:
        start, end = claim.about.spans[0]
        if end is None or end < CLIP_END:
            window = Window(start=start, end=end if end is not None else start + _MOMENT_SECONDS)
    return Claim(text=claim.clause, kind=_KINDS[claim.kind], modality=modality, window=window)
