"""Reads captions in ordinary English into claims, clause by clause. `claim_checker` checks the claims.

A clause without anything measurable, such as the name of an object or a feeling, is only counted. So is the direction
of a movement: the rest of its clause is read without it, or nothing if the clause is a denial.
"""

import re
from dataclasses import replace
from typing import Literal

from aurelia_offline.critic.caption_text import (
    TIME_PATTERN,
    Clause,
    WordList,
    caption_clauses,
    caption_sentences,
    caption_words,
    normalize_caption,
    read_times,
)
from aurelia_offline.critic.claims import Description, Detail, DetailKind, ParsedCaption
from aurelia_offline.critic.plain_claims import plain_claim
from aurelia_offline.questions.directions import drop_mark, mark_directions

_PITCH = re.compile(r"(\d+(?:\.\d+)?) ?(k?)hz")
_BPM = re.compile(
    r"(\d+(?:\.\d+)?) ?(?:bpm|(?:(?:beats|strokes|clicks|hits|times|pulses|ticks) )?(?:per|a|each) (?:minute|min)\b)"
)
_TRACK = re.compile(
    r"\b(?:track|candidate|audio|sound ?track|recording|option|sound(?= [b-h]\b| a (?:holds|has|contains)\b)) ([a-h])\b"
)
_CUTS = "cuts?|changes?|transitions?|edits?"
_THINGS = "shapes?|circles?|discs?|balls?|dots?|squares?|triangles?|objects?|figures?|patches|movements?|motions?"
_OPENING = re.compile(r"\b(?:at first|opens?|begins?|initially|starts?|at the (?:start|beginning))\b")
_CLIP = "(?:clip|video|recording|scene|footage|film)"
_CLIP_LENGTH = (
    re.compile(rf"(\d+(?:\.\d+)?) ?-?s(?:ec)?(?: long| of)? {_CLIP}"),
    re.compile(rf"{_CLIP} (?:itself )?(?:lasts|is|runs|takes)(?: for)?(?: \w+)? (\d+(?:\.\d+)?) ?s\b(?! in$)"),
    re.compile(r"(?:duration|length)(?: of the \w+)? (?:is|of)(?: about)? (\d+(?:\.\d+)?) ?s\b"),
)
_FOR = re.compile(r"\b(?:for|lasting|lasts|over)(?: about| roughly)? (\d+(?:\.\d+)?) ?s\b")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|there|stands?|stays?|remains?|shows?|rests?|sits?|lies)\b")
"""Without such a verb, "then a blue one at the right" continues the clause before: it moves too."""
_ONSET = re.compile(r"\b(?:begins?|beginning|starts?|starting|sets? in)\b")
_SEVERAL = re.compile(r"\b(?:several|many|multiple|a few|some)\b")


def parse_caption(caption: str) -> ParsedCaption:
    """Read a caption.

    Args:
        caption: English prose; any length.
    """
    lexicon = caption_words()
    claims: list[Detail] = []
    unchecked = 0
    unread: list[str] = []
    said = plain_claim(caption)
    sentences = [said] if said else caption_sentences(normalize_caption(caption))
    plain = [said or plain_claim(sentence) for sentence in sentences]
    for number, (text, taken) in enumerate(zip(sentences, plain, strict=True)):
        sentence = caption_clauses(taken or mark_directions(text))
        if taken:
            unchecked += drop_mark(mark_directions(normalize_caption(caption) if said else text))[1]
        before: str | None = None
        made: list[Detail] = []
        readable, set_aside = _set_directions_aside(sentence, lexicon)
        unchecked += set_aside
        for clause in readable:
            topic = _topic_of(clause.text, lexicon)
            if topic is None and _continues_description(clause.text, lexicon):
                topic = before
            if topic == "colour" and before == "motion" and clause.link and not _VERB.search(clause.text):
                topic = "motion"
            found = []
            if topic:
                found = _read_clause(topic, clause.text, number, lexicon)
            if found and made and clause.link == "until":
                made[-1] = _end_at_event(made[-1], found[0])
            elif found and made and clause.link and found[0].kind in ("sound", "motion"):
                found += _read_order(made, found[0], clause.link)
            made += found
            unchecked += not found
            if not found:
                unread.append(clause.text)
            before = topic or before
        claims += made
    return ParsedCaption(tuple(claims), unchecked, tuple(unread), all(plain))


def _set_directions_aside(sentence: list[Clause], lexicon: WordList) -> tuple[list[Clause], int]:
    """The clauses without directions of movements, and how many had one; a denial of a direction is left out whole."""
    kept: list[Clause] = []
    directed = 0
    for clause in sentence:
        text, has_direction = drop_mark(clause.text)
        directed += has_direction
        if not (has_direction and lexicon.has("negations.words", TIME_PATTERN.sub(" ", text))):
            kept.append(clause._replace(text=text))
    return kept, directed


def _topic_of(clause: str, lexicon: WordList) -> str | None:
    """The topic of a clause, from its words; None if nothing in it can be measured."""
    if any(pattern.search(clause) for pattern in _CLIP_LENGTH):
        return "duration"
    for topic in ("sync", "tempo", "cut", "flash", "silence"):
        if lexicon.has(f"topics.{topic}", clause) and not (topic == "sync" and not _names_two_senses(clause, lexicon)):
            return topic
    sound = lexicon.any_voice(clause) or bool(_PITCH.search(clause))
    moves = lexicon.has("topics.motion", clause) or lexicon.has("topics.still", clause)
    if moves:
        return "motion"
    if lexicon.has("topics.background", clause) and lexicon.all("colours", clause):
        return "background"
    if sound:
        return "sound"
    if lexicon.all("colours", clause):
        return "colour"
    return None


def _names_two_senses(clause: str, lexicon: WordList) -> bool:
    return bool(re.search(r"\b(?:it|they|both|two|everything)\b", clause)) or (
        lexicon.any_voice(clause) and lexicon.has("topics.motion", clause)
    )


def _continues_description(clause: str, lexicon: WordList) -> bool:
    """Whether a clause without its own topic continues the description of the clause before."""
    tables = ("colours", "places", "levels", "heights", "ranks")
    return bool(read_times(clause)) or any(lexicon.all(table, clause) for table in tables)


def read_description(clause: str, topic: Literal["sound", "motion"], lexicon: WordList) -> Description:
    """The description of one sound or one moving thing in a clause."""
    pitch = _PITCH.search(clause)
    track = _TRACK.search(clause)
    ranks = [rank for rank in lexicon.all("ranks", clause) if not re.search(rf"\b{rank} \d", clause)]
    described = Description(
        topic,
        spans=read_times(clause),
        seconds=_first_number(_FOR, clause),
        rank=next(iter(ranks), None),
        onset=bool(_ONSET.search(clause)),
    )
    if track:
        described = replace(described, track=ord(track[1]) - ord("a"))
    if topic == "motion":
        return replace(described, colours=lexicon.all("colours", clause), places=lexicon.all("places", clause))
    voices = set(lexicon.all("voices", clause)) - {"any"}
    if "unpitched" in voices:
        voices |= {"click", "noise"}
    if pitch:
        described = replace(described, pitch=float(pitch[1]) * {"k": 1000}.get(pitch[2], 1))
    return replace(
        described,
        voices=frozenset(voices - {"unpitched"}),
        height=_only_value(lexicon.all("heights", clause)),
        level=_only_value(lexicon.all("levels", clause)),
    )


def _first_number(pattern: re.Pattern[str], clause: str) -> float | None:
    """The number in the first match of a pattern, or None."""
    found = pattern.search(clause)
    if found is None:
        return None
    return float(found[1])


def _only_value(values: tuple[str, ...]) -> str | None:
    """The value if there is exactly one, else None."""
    if len(values) == 1:
        return values[0]
    return None


def _read_clause(topic: str, clause: str, sentence: int, lexicon: WordList) -> list[Detail]:
    base = Detail("sound", clause, sentence, negated=lexicon.has("negations.words", TIME_PATTERN.sub(" ", clause)))
    reader = _READERS.get(topic)
    if reader:
        return reader(base, lexicon)
    return []


def _sound(base: Detail, lexicon: WordList) -> list[Detail]:
    clause = base.clause
    for rank in lexicon.all("comparisons", clause):
        if " than " in clause:
            left, right = clause.split(" than ", 1)
            pair = read_description(left, "sound", lexicon), read_description(right, "sound", lexicon)
            return [replace(base, kind="compare", about=pair[0], other=pair[1], word=rank)]
    about = read_description(clause, "sound", lexicon)
    if base.negated:
        return [replace(base, about=about)]
    count = _count(clause)
    if count is not None and (count != 1 or not about.spans) and about.rank is None:
        counted = about
        if len(about.spans) != 1 or not about.spans[0][1]:
            counted = replace(about, spans=())
        made = [replace(base, kind="sound_count", about=counted, number=count)]
        return made + [replace(base, about=replace(about, spans=(span,))) for span in about.spans if not counted.spans]
    if count is None and _SEVERAL.search(clause) and not about.spans:
        return [replace(base, kind="sound_count", about=about, number=2, least=True)]
    if about.rank is not None:
        return [replace(base, kind="rank", about=about)]
    if len(about.spans) > 1:
        return [replace(base, about=replace(about, spans=(span,))) for span in about.spans]
    return [replace(base, about=about)]


def _count(clause: str, nouns: str = r"sounds?|tones?|notes?|beeps?|noises?|clicks?|ticks?|events?") -> float | None:
    """The number in a clause that counts something: "3 separate sounds", "twice", "there are 3"; None if none."""
    bare = TIME_PATTERN.sub(" ", _PITCH.sub(" ", clause))
    if re.search(r"\b(?:once|a single|only a|just a|a lone|a solitary)\b", bare):
        return 1.0
    if re.search(r"\b(?:twice|a pair of|a couple of)\b", bare):
        return 2.0
    found = re.search(rf"\b(\d+) (?:[a-z-]+ ){{0,3}}?(?:{nouns}|times|things?|in all|in total|of them)\b", bare)
    found = found or re.search(r"\b(?:are|is|were|hears?|exactly) (\d+)(?: of them)?$", bare)
    if found:
        return float(found[1])
    return None


def _silence(base: Detail, lexicon: WordList) -> list[Detail]:
    negated = bool(re.search(r"\b(?:not|never|isn't|no) (?:\w+ ){0,2}(?:silent|silence|mute|muted)\b", base.clause))
    return [replace(base, kind="silence", negated=negated, about=read_description(base.clause, "sound", lexicon))]


def _tempo(base: Detail, lexicon: WordList) -> list[Detail]:
    word = next(iter(lexicon.all("pace", base.clause)), None)
    if word is None and re.search(r"\b(?:steady|regular|even|constant)\b", base.clause):
        word = "steady"
    return [replace(base, kind="tempo", number=_first_number(_BPM, base.clause), word=word)]


def _cut(base: Detail, lexicon: WordList) -> list[Detail]:
    none = base.negated or lexicon.has("topics.uncut", base.clause)
    about = read_description(base.clause, "motion", lexicon)
    number = None
    if not none:
        number = _count(base.clause, _CUTS)
    return [replace(base, kind="cut", negated=none, number=number, about=about)]


def _flash(base: Detail, lexicon: WordList) -> list[Detail]:
    about = read_description(base.clause, "motion", lexicon)
    number = None
    if not base.negated:
        number = _count(base.clause, "flash(?:es)?")
    return [replace(base, kind="flash", number=number, about=about)]


def _motion(base: Detail, lexicon: WordList) -> list[Detail]:
    clause = base.clause
    about = read_description(clause, "motion", lexicon)
    still = lexicon.has("topics.still", clause) and not lexicon.has("topics.motion", clause)
    negated = base.negated != still
    count = _count(clause, _THINGS)
    if count is not None and (count != 1 or re.search(r"\bonly|single|just\b", clause)) and not negated:
        several = replace(about, spans=about.spans[:1])
        return [replace(base, kind="motion_count", about=several, number=count)]
    if len(about.spans) > 1:
        return [replace(base, kind="motion", negated=negated, about=replace(about, spans=(s,))) for s in about.spans]
    return [replace(base, kind="motion", negated=negated, about=about)]


def _background(base: Detail, lexicon: WordList) -> list[Detail]:
    about = read_description(base.clause, "motion", lexicon)
    after = re.split(r"\b(?:background|backdrop|behind|against|screen|picture)\b", base.clause, maxsplit=1)
    tail = lexicon.all("colours", after[-1])
    head = lexicon.all("colours", after[0])
    colours = tail or head
    if _OPENING.search(base.clause) and not about.spans:
        about = replace(about, spans=((0.0, None),))
    made = [replace(base, kind="background", about=replace(about, colours=colours))]
    if head and tail:
        made.append(replace(base, kind="colour", about=replace(about, colours=head, spans=())))
    return made


def _colour(base: Detail, lexicon: WordList) -> list[Detail]:
    return [replace(base, kind="colour", about=read_description(base.clause, "motion", lexicon))]


def _sync(base: Detail, lexicon: WordList) -> list[Detail]:
    apart = re.search(
        r"\b(?:out of sync|out of step|different|other times?|another time|independent|unrelated|asynchron\w*|apart)\b",
        base.clause,
    )
    return [
        replace(
            base,
            kind="sync",
            negated=base.negated != bool(apart),
            about=read_description(base.clause, "sound", lexicon),
        )
    ]


def _duration(base: Detail, lexicon: WordList) -> list[Detail]:
    found = next(match for pattern in _CLIP_LENGTH if (match := pattern.search(base.clause)))
    rest = base.clause[: found.start()] + base.clause[found.end() :]
    made = [replace(base, kind="duration", number=float(found[1]))]
    topic = _topic_of(rest, lexicon)
    if topic and topic != "duration":
        made += _read_clause(topic, rest, base.sentence, lexicon)
    return made


def _end_at_event(claim: Detail, event: Detail) -> Detail:
    """A claim that holds until an event: up to the event's start if that is stated, else for part of the clip."""
    if claim.about.spans or claim.kind not in ("silence", "motion"):
        return claim
    if event.about.spans:
        return replace(claim, about=replace(claim.about, spans=((0.0, event.about.spans[0][0]),)))
    return replace(claim, word="partly")


def _read_order(made: list[Detail], later: Detail, link: str) -> list[Detail]:
    """The order claim of "then", "followed by", "before" and "after" between two clauses that describe events."""
    earlier = next((claim for claim in reversed(made) if claim.kind in ("sound", "motion", "rank")), None)
    if earlier is None or later.about.empty or earlier.about.empty or earlier.negated or later.negated:
        return []
    first, second = earlier.about, later.about
    if link == "after":
        first, second = second, first
    together = link == "while"
    if together and first.topic == second.topic:
        return []
    clause = f"{earlier.clause} {link} {later.clause}"
    kind: DetailKind = "order"
    if together:
        kind = "sync"
    return [replace(later, kind=kind, clause=clause, about=first, other=second)]


_READERS = {
    "sound": _sound,
    "silence": _silence,
    "tempo": _tempo,
    "cut": _cut,
    "flash": _flash,
    "motion": _motion,
    "background": _background,
    "colour": _colour,
    "sync": _sync,
    "duration": _duration,
}
