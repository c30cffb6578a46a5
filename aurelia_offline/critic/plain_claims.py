"""One claim in any wording, said again in the plain wording that `caption_parser` reads.

A form takes a claim only if it takes up everything that `claim_names` finds in it, so a sentence about more than one
thing is left to the parser.
"""

import re
from collections.abc import Callable, Sequence

from aurelia_offline.critic.claim_names import (
    NEGATION,
    NamedThings,
    claim_words,
    joined_sentences,
    plain_claim_text,
    read_names,
)
from aurelia_offline.critic.claims import Detail
from aurelia_offline.questions.directions import drop_mark, mark_directions

_OFTEN = {"never": 0, "none": 0, "no": 0, "once": 1, "one": 1, "single": 1, "twice": 2}
_COMPARED = re.compile(r"\b(?:most|least|than|others?|rest|all|any|every|loud\w*|volume|level)\b")
_PLACE = re.compile(r"\b(?:first|1st|2nd|3rd|4th|5th|last)\b")
_FALLS_SILENT = re.compile(
    r"\b(?:falls?|fell|goes|went|turns?|becomes?) (?:silent|quiet|mute)\b|\bsilence (?:returns|follows|falls)\b"
)
# "Each sound a tone" names no track.
_TRACK = re.compile(
    r"\b(?:(?:track|candidate|recording|option|audio) [a-h]|sound [b-h]"
    r"|sound a (?:holds?|has|contains|is|was|lasts|begins|starts|ends|stops|plays|alone))\b"
)
_LEFT_NUMBER = re.compile(r"\d\.\d")
_AGREEMENT_END = re.compile(r"[:;.]|, (?:and|but|so|as|since|because|for|that is|meaning)\b")
_ORDER_ZONES = ("order_clause", "order_list", "order_between", "order_closing")


def plain_claim(text: str) -> str | None:
    """The claim in plain normalized words, or None if no form takes it up whole.

    Args:
        text: one claim in English, of one sentence or of several that lean on each other.
    """
    joined = joined_sentences(plain_claim_text(text))
    if "?" in text or joined is None or _TRACK.search(joined) or states_direction(joined):
        return None
    named = read_names(joined)
    if _LEFT_NUMBER.search(named.bare):
        return None
    return next((plain for form in _FORMS if (plain := form(named)) is not None), None)


def states_direction(text: str) -> bool:
    """Whether a claim says where something moves to, which is not measured."""
    return drop_mark(mark_directions(re.sub(r"\b(?:up and down|about|around)\b", " ", plain_claim_text(text))))[1]


def leaves_order_out(text: str) -> bool:
    """Whether a claim names two voices with words of an order, which its reader must not pass over."""
    named = read_names(plain_claim_text(text))
    return len(named.voices) > 1 and any(claim_words().all(zone, named.text) for zone in _ORDER_ZONES)


def leaves_out(text: str, claims: Sequence[Detail]) -> bool:
    """Whether a claim names a time, a pitch, a voice, a colour or a place that none of its details takes up."""
    named = read_names(plain_claim_text(text))
    about = [one for claim in claims for one in (claim.about, claim.other) if one is not None]
    times = {time for one in about for span in one.spans for time in (*span, one.seconds)}
    times |= {claim.number for claim in claims if claim.kind == "duration"}
    return not (
        {float(time) for time in named.times} <= times
        and {float(pitch) for pitch in named.hertz} <= {one.pitch for one in about}
        and set(named.voices) <= {voice for one in about for voice in one.voices}
        and set(named.colours) <= {colour for one in about for colour in one.colours}
        and set(named.places) <= {place for one in about for place in one.places}
    )


def states_comparison(text: str) -> bool:
    """Whether a claim compares a sound with others, so that the sound alone does not support it."""
    return bool(_COMPARED.search(plain_claim_text(text)))


def _pitch(named: NamedThings) -> str | None:
    if len(named.hertz) != 1 or len(named.voices) > 1 or not named.span or named.negations:
        return None
    if not named.only("hertz", "times", "voices", "levels") or named.says("inexact"):
        return None
    voice = next(iter(named.voices), "sound")
    return f"a {voice} with a pitch of {named.hertz[0]} hz sounds {named.span}"


def _tempo(named: NamedThings) -> str | None:
    rate = named.rate or (named.numbers if named.says("tempo") else ())
    fits = len(rate) == 1 and 30 <= float(rate[0]) <= 300 and not named.negations
    if not fits or not named.only("rate", "numbers", "voices") or len(named.rate) + len(named.numbers) > 1:
        return None
    return None if named.says("inexact") else f"there is a rhythm at {rate[0]} bpm"


def _flash(named: NamedThings) -> str | None:
    glare = "white" in named.colours and named.says("glare")
    if not (named.says("flash") or glare) or named.says("motion", "shape", "inexact"):
        return None
    if named.negations or len(named.times) != 1 or not named.span:
        return None
    return f"a white flash is seen {named.span}" if set(named.colours) <= {"white"} and not named.places else None


def _cuts(named: NamedThings) -> str | None:
    if not named.says("cut") or not named.only("numbers", "ordinals") or named.says("inexact"):
        return None
    often = [str(count) for word, count in _OFTEN.items() if re.search(rf"\b{word}\b", named.bare)]
    counts = set(named.numbers) or ({"0"} if named.negations else set(often))
    if len(counts) != 1 or (set(named.numbers) - {"0"} and named.negations):
        return None
    count = int(counts.pop())
    return f"there are {count or 'no'} cuts"


def _agreement(named: NamedThings) -> str | None:
    seen = (
        named.moves
        or named.says("still")
        or (named.says("picture", "shape") and named.says("agreement.together", "agreement.apart"))
    )
    if not (named.says("sound") and seen) or not named.only("levels", "numbers") or named.says("partly"):
        return None
    if set(named.levels) - {"soft"} or set(named.numbers) - {"2"}:
        return None
    said = {_says_together(part) for part in _AGREEMENT_END.split(named.text)} - {None}
    return f"the sounds and the movements {'' if said.pop() else 'do not '}coincide" if len(said) == 1 else None


def _says_together(text: str) -> bool | None:
    """Whether a clause says that sounds and movements go together; None if it says neither, or both with a denial."""
    words = claim_words()
    apart, quiet, still = (
        words.has("agreement.apart", text),
        words.has("cues.silence", text),
        words.has("cues.still", text),
    )
    rest = words.blank("agreement.apart", text)
    together = words.has("agreement.together", rest)
    if not (apart or quiet or together or words.has("agreement.meanwhile", rest)) or (quiet and still):
        return None
    denials = len(NEGATION.findall(text)) + quiet + still
    if together and apart and denials:
        said = {_says_together(part) for part in text.split(",")} - {None} if "," in text else set()
        return said.pop() if len(said) == 1 else None
    return (denials % 2 == 0) != apart


def _order(named: NamedThings) -> str | None:
    if (
        len(named.voices) != 2
        or not named.only("voices", "ordinals", "numbers")
        or named.says("inexact", "motion", "cut")
    ):
        return None
    if set(named.numbers) - {"1"} or (named.negations and not re.search(r"\b(?:until|before)\b", named.text)):
        return None
    forward = _is_forward(named.text)
    if forward is None:
        return None
    one, two = named.voices if forward else reversed(named.voices)
    return f"a {one} is heard, followed by a {two}"


def _is_forward(text: str) -> bool | None:
    """Whether of two voices the one named first is heard first; None if its words do not say so, or disagree."""
    words = claim_words()
    (start, end), (other_start, other_end) = words.places("voices", text).values()
    before, between, behind = text[:start], text[end:other_start], text[other_end:]
    if clause := words.all("order_clause", before):
        if clause[0] == "forward" and re.search(r"\bwhen\b", before) and re.search(r"\balready\b", text[end:]):
            return False
        return clause[0] == "forward"
    if re.search(r"(?:\bnot\b|n't\b).*\b(?:until|before)\b", between):
        return False
    zones = zip(_ORDER_ZONES[2:], (between, behind), strict=True)
    said = {found[0] for zone, part in zones if (found := words.all(zone, part))} or set(
        words.all("order_list", before)
    )
    return said == {"forward"} if len(said) == 1 else None


def _loudest(named: NamedThings) -> str | None:
    places = [match[0] for match in _PLACE.finditer(named.text)]
    if len(set(places)) != 1 or named.voices or named.times or named.colours or named.says("motion", "inexact"):
        return None
    if not _is_above_all(named.text, named.negations):
        return None
    return f"the loudest sound is the {_ORDINALS.get(places[0], places[0])} one"


def _is_above_all(text: str, negations: int) -> bool:
    """Whether the sound whose place in the order is named is said to be louder than all others, in this or that way."""
    words = claim_words()
    place = text.find(_PLACE.findall(text)[0])
    if softer := words.places("loudness", text).get("softer"):
        return not negations and words.has("loudness.all", text[: softer[0]]) and softer[0] < place
    said = words.places("loudness", text)
    if not words.has("loudness.volume", text):
        said.pop("outdoes", None)
        said.pop("wins", None)
    louder = [said[name] for name in ("louder", "outdoes") if name in said]
    denied = NEGATION.search(text)
    if negations == 1 and denied:
        more = [
            end
            for start, end in [*louder, *(said[name] for name in ("equals",) if name in said)]
            if start > denied.start()
        ]
        return bool(more) and place > min(more)
    if negations:
        return False
    return "loudest" in said or "wins" in said or any(words.last("loudness.all", text) >= end for _, end in louder)


def _silence(named: NamedThings) -> str | None:
    quiet = named.says("silence") or (named.says("gap") and named.says("sound"))
    denied = (named.negations or named.numbers == ("0",)) and named.says("sound")
    if not (quiet or denied) or named.says("motion", "cut", "inexact") or named.numbers not in ((), ("1",), ("0",)):
        return None
    if not named.only("times", "numbers", "levels", "voices") or (quiet and named.negations and not denied):
        return None
    if len(named.times) == 2 and named.span and not named.voices:
        return f"it is silent {named.span}"
    whole = not named.times and denied and not named.says("opening", "closing")
    return "there is no sound" if whole else None


def _sound_count(named: NamedThings) -> str | None:
    if len(named.numbers) != 1 or not named.only("numbers") or not named.says("sound"):
        return None
    if named.negations or named.says("motion", "cut", "inexact"):
        return None
    count = int(named.numbers[0])
    return f"{count} sounds are heard" if count else None


def _motion(named: NamedThings) -> str | None:
    restless = named.negations == 1 and named.says("still")
    if not (named.moves or restless) or not named.span or (named.pauses and not restless):
        return None
    if named.negations > restless or set(named.numbers) - {"1"}:
        return None
    if not named.only("times", "colours", "places", "numbers") or named.says("sound", "inexact", "partly", "cut"):
        return None
    if len(named.colours) > 1 or len(named.places) > 1:
        return None
    shapes = claim_words().all("shapes", named.bare)
    if len(shapes) > 1:
        return None
    what = f"{next(iter(named.colours), '')} {next(iter(shapes), 'object')}".strip()
    where = "".join(" in the centre" if place == "centre" else f" on the {place}" for place in named.places)
    return f"a {what} moves{where} {named.span}"


def _opening_ground(named: NamedThings) -> str | None:
    opens = named.says("opening") and not named.says("closing", "motion", "cut", "inexact", "sound")
    shapes = claim_words().all("shapes", named.bare)
    if not opens or len(named.colours) != 1 or shapes or named.negations or not named.only("colours", "ordinals"):
        return None
    return f"the background is {named.colours[0]} at the start"


def _sound(named: NamedThings) -> str | None:
    if len(named.voices) != 1 or not named.span or not named.only("times", "voices", "numbers", "ordinals"):
        return None
    if named.pauses or named.ordinals not in ((), ("first", "last")):
        return None
    quiet = claim_words().has("cues.silence", _FALLS_SILENT.sub("", named.text))
    if named.negations or named.says("motion", "cut", "inexact", "shape") or quiet or set(named.numbers) - {"1"}:
        return None
    return f"a {named.voices[0]} can be heard {named.span}"


_ORDINALS = {"first": "1st"}
_FORMS: tuple[Callable[[NamedThings], str | None], ...] = (
    _pitch,
    _tempo,
    _flash,
    _cuts,
    _agreement,
    _order,
    _loudest,
    _silence,
    _sound_count,
    _motion,
    _opening_ground,
    _sound,
)
