"""Groups the tokens of a question into items: noun phrases with their modifiers, and the tokens between them."""

from dataclasses import dataclass, replace
from typing import cast

from aurelia_offline.questions.lexicon import Token
from aurelia_offline.questions.query import Domain, Pick

_MODIFIERS = {"rank", "ordinal", "colour", "place", "voice", "different"}
_PHRASE_BREAKS = {"in", "on", "at", "for", "by", "with", "to"}
_DOMAINS = {
    "thing": "motion",
    "outlined": "motion",
    "one": "any",
    "noise_word": "sound",
    "beat": "sound",
    "shot": "clip",
}
_CLAUSE_STARTS = {"det", "colour", "place", "voice", "rank", "ordinal", "noun", "number"}
_NAMES_A_THING = {"det", "every", "wh", "colour", "ordinal", "rank", "place", "conj", "exist", "world"}
_COMPARATIVES = {
    "longer": "length+",
    "shorter": "length-",
    "higher": "pitch+",
    "lower": "pitch-",
    "faster": "tempo+",
    "slower": "tempo-",
    "fewer": "count-",
    "less": "count-",
}
_RANKS_OF_ADJECTIVES = {
    "high": "pitch+",
    "low": "pitch-",
    "deep": "pitch-",
    "loud": "level+",
    "soft": "level-",
    "quiet": "level-",
    "faint": "level-",
}
_SHORTEST_WORD = 3
"""Letters of a word that can carry meaning; a shorter one in no list is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class PhraseItem:
    """A noun phrase (`np`), modifiers without a noun (`bare`), or a token that is neither; `pick` for the first two."""

    kind: str
    value: str
    text: str
    pick: Pick = Pick()


def _make_pick(found: list[Token], noun: Token | None) -> Pick:
    """The description that modifiers and a noun make."""
    pick = Pick(words=" ".join(token.text for token in (*found, noun) if token is not None))
    for token in found:
        match token.kind:
            case "rank":
                pick = replace(pick, rank=token.value)
            case "ordinal":
                pick = replace(pick, nth=int(token.value))
            case "colour":
                pick = replace(pick, colour=token.value)
            case "place":
                pick = replace(pick, place=token.value)
            case "voice":
                pick = replace(pick, voice=token.value)
            case _:
                pick = replace(pick, distinct=True)
    if noun is None:
        if pick.voice:
            return replace(pick, domain="sound")
        return pick
    domain = cast(Domain, _DOMAINS.get(noun.value, noun.value))
    if domain == "any" and pick.voice:
        domain = "sound"
    return replace(pick, domain=domain, outline=noun.value == "outlined")


class _Grouping:
    """The items so far, and the modifiers that wait for their noun."""

    def __init__(self) -> None:
        self.items: list[PhraseItem] = []
        self.waiting: list[Token] = []

    def flush(self) -> None:
        """End a phrase without a noun."""
        if self.waiting:
            pick = _make_pick(self.waiting, None)
            kind = "bare"
            if pick.voice:
                kind = "np"
            self.items.append(PhraseItem(kind, "sound" if pick.voice else "", pick.words, pick))
            self.waiting = []

    def noun(self, token: Token) -> None:
        """End a phrase with its noun."""
        pick = _make_pick(self.waiting, token)
        self.waiting = []
        self.items.append(PhraseItem("np", token.value, pick.words, pick))

    def other(self, token: Token) -> None:
        """End a phrase with a token that does not belong to it."""
        self.flush()
        self.items.append(PhraseItem(token.kind, token.value, token.text))


def _is_verb_last(tokens: list[Token], at: int) -> bool:
    """Whether "last" is the verb: a length is asked, stated or compared, and no noun follows."""
    after = "comma"
    if at + 1 < len(tokens):
        after = tokens[at + 1].kind
    if at and tokens[at - 1].kind == "det":
        return False
    asked = any(token.kind == "wh" and token.value == "how_long" for token in tokens)
    return after in {"comp", "bound", "number", "same"} or (asked and after not in {"noun", "voice", "colour", "verb"})


def _read_again(tokens: list[Token], at: int) -> Token:
    """A token whose meaning depends on its neighbours."""
    token = tokens[at]
    following = next((later for later in tokens[at + 1 :] if later.kind != "filler"), Token("comma", "", ""))
    if token.text == "last" and _is_verb_last(tokens, at):
        return Token("verb", "endure", token.text)
    if token.text == "once" and following.kind not in _CLAUSE_STARTS:
        return Token("number", "1", token.text)
    if token.value == "noise_word":
        return _read_noise(tokens, at)
    if token.kind == "bound" and token.text.endswith("than") and following.kind != "number":
        return Token("comp", _COMPARATIVES.get(token.text.split()[0], "count+"), token.text)
    if token.text == "as" and any(earlier.kind == "same" for earlier in tokens[:at]):
        return Token("conj", "and", token.text)
    if token.text == "say" and all(earlier.kind in {"filler", "aux", "comma"} for earlier in tokens[:at]):
        return Token("filler", "", token.text)
    if token.kind == "unknown":
        return _read_unknown(tokens, at)
    if token.text in _RANKS_OF_ADJECTIVES and following.kind in {"voice", "noun"}:
        return _read_adjective(tokens, at)
    return token


def _read_adjective(tokens: list[Token], at: int) -> Token:
    """Read "the high tone" as the highest one; what "a high tone" is cannot be said, and it is not any tone."""
    token = tokens[at]
    if at and tokens[at - 1].text == "the":
        return Token("rank", _RANKS_OF_ADJECTIVES[token.text], token.text)
    return Token("world", "unlisted", token.text)


def _read_noise(tokens: list[Token], at: int) -> Token:
    """Beside tones and clicks, "noise" is a kind of sound; "the noise" is one if the clip has one; else any sound."""
    token = tokens[at]
    if token.text != "noise":
        return token
    contrast = any(other.kind == "voice" and other.value != "noise" for other in tokens)
    counted = any(other.kind == "wh" and other.value == "count" for other in tokens)
    single = at > 0 and tokens[at - 1].text in {"a", "the"} and not counted
    if contrast or single:
        return Token("voice", "noise" if contrast else "noise?", token.text)
    return token


def _read_unknown(tokens: list[Token], at: int) -> Token:
    """A word in no list is not understood, so the question is not; only an adverb and a short word are ignored."""
    token = tokens[at]
    before = next((earlier for earlier in reversed(tokens[:at]) if earlier.kind != "filler"), None)
    noun_place = before is not None and before.kind in _NAMES_A_THING
    if len(token.text) < _SHORTEST_WORD and not noun_place or token.text.endswith("ly"):
        return Token("filler", "", token.text)
    return Token("world", "unlisted", token.text)


def group_tokens(tokens: list[Token]) -> list[PhraseItem]:
    """The items of a question, fillers dropped."""
    grouping = _Grouping()
    for at in range(len(tokens)):
        token = _read_again(tokens, at)
        if token.kind in _MODIFIERS:
            grouping.waiting.append(token)
        elif token.kind == "noun":
            grouping.noun(token)
        elif token.kind == "det" or (token.kind == "filler" and token.text in _PHRASE_BREAKS):
            grouping.flush()
        elif token.kind != "filler":
            grouping.other(token)
    grouping.flush()
    return [item for item in grouping.items if item.kind != "det"]


def read_noise_as_voice(choices: list[str], tokens: list[Token]) -> list[Token]:
    """Read "noise" as a kind of sound if the choices contrast it with a tone or a click."""
    listed = " ".join(choices).lower()
    if any(word in listed for word in ("tone", "click", "beep", "hiss")):
        return [Token("voice", "noise", t.text) if t.value == "noise_word" and t.text == "noise" else t for t in tokens]
    return tokens
