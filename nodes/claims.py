"""The claims of a caption, checked one by one: decomposition, closer looks in batches, and what the findings say.

The evaluator's model takes the caption apart without the clip; then whoever is the witness (that model, the tools, or
both) checks the claims in batches. A batch is about one sense or about both, so that a claim about sound is judged by
the sound alone, and it looks closely at the windows of its claims.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from aurelia_core.claims import Claim, Finding, Verdict, merge_findings, score_verdicts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient, Request
from aurelia_core.models.replies import ClaimCheckReply, ClaimChecksReply, ClaimsReply, WindowReply
from aurelia_core.models.requests import ClaimCheckRequest, ClaimsRequest
from aurelia_core.signals.spans import join_closest
from aurelia_core.types import NO_USAGE, Usage, Window, add_usage
from nodes.requests import (
    MAX_WINDOWS,
    agent_request_fields,
    build_request,
    clamp_windows,
    clip_request_fields,
    media_text,
    node_prompt,
    window_seconds,
)
from state.context import Context
from state.schema import EvaluatorState

_MAX_BATCH, _MAX_LOOKS = 6, 4
_PAD_SECONDS, _MIN_LOOK_SECONDS, _MOMENT_SECONDS = 0.25, 1.0, 0.2
_LOOK = "After the whole clip come closer looks at the claims' times."
_SOUND_ALONE = "You are given the sound alone: judge by what you hear."


@dataclass(frozen=True, slots=True)
class _Batch:
    """Claims by their place in the caption, the windows of a closer look, and whether the sound alone is given."""

    numbers: tuple[int, ...]
    windows: tuple[Window, ...]
    sound_alone: bool


async def check_caption(
    state: EvaluatorState, caption: str, context: Context, client: ModelClient
) -> Answer[list[Finding]]:
    """The findings on every claim of a caption, in its order.

    A batch that fails leaves its claims with "cannot_tell" and a note.

    Raises:
        ModelError: the caption could not be taken apart, or no batch was answered; `usage` holds what was paid.
    """
    taken = await _read_claims(state, caption, context, client)
    claims, outside = _claims_inside(taken.value, window_seconds(state))
    if not claims:
        return Answer(outside, taken.usage, taken.seconds, taken.notes, taken.by_fallback)
    sides = await asyncio.gather(*(_check(state, claims, model, context, client) for model in _witnesses(context)))
    usage = reduce(add_usage, (side.usage for side in sides), taken.usage)
    answered = [side for side in sides if side.fault is None]
    if not answered:
        fault = ModelError(f"No claim could be checked: {sides[0].fault}")
        fault.usage = usage
        raise fault
    notes = [*taken.notes, *(note for side in sides for note in side.notes)]
    findings = reduce(merge_findings, (side.findings for side in answered))
    seconds = taken.seconds + max(side.seconds for side in sides)
    by_fallback = taken.by_fallback or any(side.by_fallback for side in sides)
    return Answer([*findings, *outside], usage, seconds, list(dict.fromkeys(notes)), by_fallback)


def findings_text(findings: Sequence[Finding]) -> str:
    """What the findings say, for feedback and for people: the contradicted claims, those not told, then a count."""
    lines = [_finding_text("Contradicted", finding) for finding in with_verdict(findings, "contradicted")]
    lines += [_finding_text("Not told", finding) for finding in with_verdict(findings, "cannot_tell")]
    supported = len(with_verdict(findings, "supported"))
    lines.append(f"Supported: {supported} of {len(findings)} claims.")
    return "\n".join(lines)


def claims_verdict(findings: Sequence[Finding], duration: float) -> dict[str, Any]:
    """What findings come to: score (None: nothing could be checked), justification, windows to look at, the claims."""
    return {
        "score": score_verdicts(finding["verdict"] for finding in findings),
        "justification": findings_text(findings),
        "windows": open_windows(findings, duration),
        "claims": list(findings),
    }


def open_windows(findings: Sequence[Finding], duration: float) -> list[Window]:
    """Where contradicted claims, then claims that nobody could tell, are to be looked at again: at most `MAX_WINDOWS`.

    The windows have a margin: a time in a caption is rounded, and a look that ends inside an event cuts it in two. They
    are joined, and not cut off, until few are left, so that every contradicted claim is looked at again.
    """
    found: list[Window] = []
    for verdict in ("contradicted", "cannot_tell"):
        stated = [finding["claim"]["window"] or finding["window"] for finding in with_verdict(findings, verdict)]
        padded = new_windows(_padded(filter(None, stated), duration), found)
        if len(found) < MAX_WINDOWS:
            spans = join_closest([(one["start"], one["end"]) for one in padded], MAX_WINDOWS - len(found))
            found += [Window(start=start, end=end) for start, end in spans]
    return found


def new_windows(windows: Iterable[Window], known: Sequence[Window]) -> list[Window]:
    """The windows that do not lie in a known one."""
    return [
        window
        for window in windows
        if not any(one["start"] <= window["start"] and window["end"] <= one["end"] for one in known)
    ]


def with_verdict(findings: Iterable[Finding], verdict: Verdict) -> list[Finding]:
    """The findings with a verdict."""
    return [finding for finding in findings if finding["verdict"] == verdict]


def _finding_text(what: str, finding: Finding) -> str:
    window = finding["claim"]["window"] or finding["window"]
    where = f" ({window['start']:.2f}-{window['end']:.2f} s)" if window else ""
    reason = f" {finding['reason'].rstrip('.')}." if finding["reason"] else ""
    return f'{what}: "{finding["claim"]["text"].rstrip(".")}"{where}.{reason}'


def _witnesses(context: Context) -> list[str]:
    """The models that check the claims."""
    if context.critic == "both":
        return [context.evaluator, context.tools]
    return [context.tools if context.critic == "tools" else context.evaluator]


async def _read_claims(
    state: EvaluatorState, caption: str, context: Context, client: ModelClient
) -> Answer[ClaimsReply]:
    text = node_prompt(context, "claims", caption=caption, clip=media_text(state))
    fields = ClaimsRequest(**agent_request_fields(state), caption=caption)
    request = build_request(state, context, context.evaluator, text, fields, label="claims")
    return await client.complete_structured(request, ClaimsReply)


def _claims_inside(reply: ClaimsReply, duration: float) -> tuple[list[Claim], list[Finding]]:
    """The claims, each once, with their windows cut to the clip; and findings on those whose time is not in it."""
    claims: list[Claim] = []
    outside: list[Finding] = []
    for one in reply.claims:
        claim: Claim = {**one.claim(), "window": None}
        if one.window:
            claim["window"] = _inside(one.window, duration)
        if one.window and claim["window"] is None:
            where = f"{one.window.start:g}-{one.window.end:g} s"
            outside.append(
                _untold(claim, "nobody", f"its time ({where}) is not in the clip, which has {duration:.2f} s")
            )
        elif claim not in claims:
            claims.append(claim)
    return claims, outside


def _inside(window: WindowReply, duration: float) -> Window | None:
    """The window cut to the clip, ends in order, a moment widened; None: it lies outside."""
    start, end = sorted((window.start, window.end))
    wide = max(0.0, _MOMENT_SECONDS - (end - start)) / 2
    return next(iter(clamp_windows([WindowReply(start=start - wide, end=end + wide)], duration)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """What one witness found about all claims; `fault`: no batch was answered."""

    findings: list[Finding]
    usage: Usage
    seconds: float
    notes: list[str]
    by_fallback: bool
    fault: ModelError | None


async def _check(
    state: EvaluatorState, claims: Sequence[Claim], model_id: str, context: Context, client: ModelClient
) -> _Side:
    """What one witness finds about all claims, its batches side by side."""
    first: list[Window] = []
    if context.claim_windows == "sound":
        # The measuring packages take half a second to import.
        from aurelia_core.signals.sound_windows import sound_windows

        first = await asyncio.to_thread(sound_windows, client.store, state["clip"], state["tracks"])
    batches = _batches(claims, window_seconds(state), first)
    given = clip_request_fields(state, context)
    # The sound alone says nothing to a model that does not hear: it has frames, and what is measured, as text.
    hears = "sound" not in client.adapter(model_id).missing_modalities(given["media"])
    requests = [_request(state, claims, batch, model_id, context, hears=hears) for batch in batches]
    replies = await asyncio.gather(*(_answer(client, request) for request in requests))
    findings: dict[int, Finding] = {}
    notes: list[str] = []
    lost: Counter[str] = Counter()
    for batch, reply in zip(batches, replies, strict=True):
        if isinstance(reply, ModelError):
            lost[str(reply)] += len(batch.numbers)
            failed = "the check of this claim failed"
            findings |= {number: _untold(claims[number], model_id, failed) for number in batch.numbers}
            continue
        notes += reply.notes
        checks = _by_place(reply.value.checks, len(batch.numbers))
        if asked_for_none := sum(not 1 <= place <= len(batch.numbers) for place in checks):
            notes.append(f"{model_id} checked claims that were not asked ({asked_for_none}): they were left out")
        for place, number in enumerate(batch.numbers, 1):
            findings[number] = _finding(claims[number], checks.get(place, []), model_id, window_seconds(state))
    notes += [f"claims not checked, because {model_id} failed: {count} ({fault})" for fault, count in lost.items()]
    answers = [reply for reply in replies if not isinstance(reply, ModelError)]
    faults = [reply for reply in replies if isinstance(reply, ModelError)]
    return _Side(
        findings=[findings[number] for number in sorted(findings)],
        usage=reduce(add_usage, (reply.usage or NO_USAGE for reply in replies), NO_USAGE),
        seconds=max((answer.seconds for answer in answers), default=0.0),
        notes=notes,
        by_fallback=any(answer.by_fallback for answer in answers),
        fault=None if answers else faults[0],
    )


async def _answer(client: ModelClient, request: Request) -> Answer[ClaimChecksReply] | ModelError:
    try:
        return await client.complete_structured(request, ClaimChecksReply)
    except ModelError as fault:
        return fault


def _batches(claims: Sequence[Claim], duration: float, first: Sequence[Window]) -> list[_Batch]:
    """The claims in batches: those about sound apart from the others, those with a window apart from those without.

    `first` are the windows of a closer look for claims that have none of their own and are not about sight alone.
    """
    groups: dict[tuple[bool, bool, bool], list[int]] = {}
    for number, claim in enumerate(claims):
        key = (claim["modality"] == "audio", claim["window"] is not None, claim["modality"] == "visual")
        groups.setdefault(key, []).append(number)
    batches = []
    for (sound_alone, windowed, sight_alone), numbers in groups.items():
        size = _MAX_LOOKS if windowed else _MAX_BATCH
        for start in range(0, len(numbers), size):
            part = tuple(numbers[start : start + size])
            own = [claims[number]["window"] for number in part]
            windows = _padded([window for window in own if window], duration)
            if not windowed and not sight_alone:
                windows = list(first)
            batches.append(_Batch(part, tuple(windows), sound_alone))
    return batches


def _padded(windows: Iterable[Window], duration: float) -> list[Window]:
    """The windows with a margin, at least a second long where the clip is; each once."""
    found: list[Window] = []
    for window in windows:
        pad = max(_PAD_SECONDS, (_MIN_LOOK_SECONDS - (window["end"] - window["start"])) / 2)
        start, end = max(0.0, window["start"] - pad), min(duration, window["end"] + pad)
        wider: Window = {"start": round(start, 3), "end": round(end, 3)}
        if wider not in found:
            found.append(wider)
    return found


def _request(
    state: EvaluatorState, claims: Sequence[Claim], batch: _Batch, model_id: str, context: Context, *, hears: bool
) -> Request:
    given = clip_request_fields(state, context)
    media = given["media"]
    sound_alone = hears and batch.sound_alone and bool(media.sound_sources) and media.shows_picture
    if sound_alone:
        given["media"] = replace(media, only="sound")
    look = " ".join(text for text, holds in ((_SOUND_ALONE, sound_alone), (_LOOK, bool(batch.windows))) if holds)
    own = [claims[number] for number in batch.numbers]
    text = node_prompt(context, "check", claims=_listed(own), look=look)
    fields = ClaimCheckRequest(**given, claims=own, windows=list(batch.windows))
    request = build_request(state, context, model_id, text, fields, label="claim check")
    if model_id != context.evaluator:
        # The evaluator's fallback and its decoding belong to the evaluator.
        request = replace(request, fallback=None, fields=replace(fields, decoding=None))
    return request


def _listed(claims: Sequence[Claim]) -> str:
    lines = []
    for number, claim in enumerate(claims, 1):
        window = claim["window"]
        where = f" ({window['start']:.2f}-{window['end']:.2f} s)" if window else ""
        lines.append(f"{number}. {' '.join(claim['text'].split())}{where}")
    return "\n".join(lines)


def _by_place(checks: Sequence[ClaimCheckReply], count: int) -> dict[int, list[ClaimCheckReply]]:
    """The checks by their claim's place in the batch, from 1, also where a model counts from 0."""
    numbers = {check.number for check in checks}
    shift = 1 if 0 in numbers and max(numbers) < count else 0
    found: dict[int, list[ClaimCheckReply]] = {}
    for check in checks:
        found.setdefault(check.number + shift, []).append(check)
    return found


def _untold(claim: Claim, witness: str, reason: str) -> Finding:
    return {
        "claim": claim, "verdict": "cannot_tell", "window": None, "witness": witness, "margin": None, "reason": reason,
    }  # fmt: skip


def _finding(claim: Claim, checks: Sequence[ClaimCheckReply], model_id: str, duration: float) -> Finding:
    """The finding on a claim; one that was not answered, or answered in two ways, could not be told."""
    if not checks:
        return _untold(claim, model_id, "the witness said nothing about this claim")
    if len({check.verdict for check in checks}) > 1:
        return _untold(claim, model_id, "the witness contradicts itself about this claim")
    check = checks[0]
    window = next(iter(clamp_windows([check.window], duration)), None) if check.window else None
    return {
        "claim": claim,
        "verdict": check.verdict,
        "window": window,
        "witness": check.witness or model_id,
        "margin": check.margin,
        "reason": check.reason,
    }
