"""All names of a question's choices: letter, text, and number among the choices."""

import re
from dataclasses import dataclass
from functools import cached_property

from aurelia_core.answers.tokens import (
    ComparisonKey,
    Mention,
    asserted,
    comparison_key,
    find_mentions,
    is_number,
    tokenize_text,
)

CHOICE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OPTION_NOUNS = ("option", "choice")
CHOICE_NOUNS = (*_OPTION_NOUNS, "answer", "audio", "track", "clip", "sound", "candidate", "music", "song", "soundtrack")
_OWN_LETTER = re.compile(r"^\s*\(?([A-Za-z])[.):]\s+")
_NUMBER_PAIR = re.compile(r"(?<!\S)\d+ (?:(?:and|or|to) )?\d+(?!\S)")
_AMBIGUOUS = -1
_FUNCTION_WORDS = frozenset(
    ["it", "is", "was", "be", "are", "in", "on", "to", "of", "at", "and", "or", "the", "both", "same", "because"]
    + ["i", "you", "he", "she", "we", "they", "it's", "he's", "this", "that", "there", "1"]
)
_JOINING = re.compile(r",|[/&+]|\b(?:and|or)\b", re.IGNORECASE)
_DENYING = re.compile(r"no|not|none|never|without|neither|nor|cannot|nothing|nobody|\w+n't")


@dataclass(frozen=True)
class ChoiceNames:
    """The choices of one question and their names."""

    choices: tuple[str, ...]

    @cached_property
    def texts(self) -> list[str]:
        """The choices without letters of their own."""
        return [_OWN_LETTER.sub("", choice) for choice in self.choices]

    @cached_property
    def letters(self) -> list[str]:
        """The letter of each choice: its own letter if all choices have different ones, else A, B, C ..."""
        own = [match[1].upper() for choice in self.choices if (match := _OWN_LETTER.match(choice))]
        if len(set(own)) == len(self.choices):
            return own
        return list(CHOICE_LETTERS[: len(self.choices)])

    @cached_property
    def keys(self) -> list[ComparisonKey]:
        """The comparison key of each choice; empty if another text has the same key, or for a repeated choice."""
        keys = [comparison_key(text) for text in self.texts]
        texts_by_key: dict[ComparisonKey, set[str]] = {}
        for key, text in zip(keys, self.texts, strict=True):
            texts_by_key.setdefault(key, set()).add(text.casefold().strip())
        unique: list[ComparisonKey] = []
        for number, key in enumerate(keys):
            if len(texts_by_key[key]) > 1 or key in keys[:number]:
                key = ()
            unique.append(key)
        return unique

    @cached_property
    def numeric_aliases(self) -> dict[ComparisonKey, int]:
        """Further names of the choices by number, where a number has only one meaning."""
        last_words = _last_words(self.keys)
        if all(is_number(word) for word in last_words):
            if all(len(key) == 2 for key in self.keys):
                return self._track_aliases(last_words)
            return {}
        aliases: dict[ComparisonKey, int] = {}
        for index in range(len(self.keys)):
            for noun in _OPTION_NOUNS:
                aliases[(noun, str(index + 1))] = index
                aliases[(f"{index + 1}th", noun)] = index
        return aliases

    def _track_aliases(self, numbers: list[str]) -> dict[ComparisonKey, int]:
        """Names of choices that are a noun and a number each ("Track 3")."""
        aliases: dict[ComparisonKey, int] = {}
        nouns = {*CHOICE_NOUNS, "1", *(key[0] for key in self.keys)}
        for index, number in enumerate(numbers):
            in_order = number == str(index + 1)
            aliases[(number,)] = index
            for noun in nouns:
                if in_order or noun not in _OPTION_NOUNS:
                    aliases[(noun, number)] = index
                if in_order:
                    aliases[(f"{number}th", noun)] = index
            if in_order:
                aliases[(f"{number}th",)] = index
        return aliases

    def find_by_text(self, text: str) -> int | None:
        """The index of the choice that `text` is, verbatim or by comparison key."""
        index = self.find_verbatim(text)
        key = comparison_key(text)
        if index is None and key and key in self.keys:
            return self.keys.index(key)
        return index

    def find_by_part(self, text: str) -> int | None:
        """The index of the only choice in which the words of `text` stand one after another ("right").

        A part has all numbers and denials of its choice, and a word that is not a function word. A choice that joins
        several things has no parts.
        """
        part = comparison_key(text)
        if not set(part) - _FUNCTION_WORDS:
            return None
        whole = [index for index, key in enumerate(self.keys) if _contains(key, part)]
        if len(whole) != 1 or _JOINING.search(self.texts[whole[0]]):
            return None
        needed = {word for word in self.keys[whole[0]] if is_number(word) or _DENYING.fullmatch(word)}
        return whole[0] if needed <= set(part) else None

    def find_verbatim(self, text: str) -> int | None:
        """The index of the first choice that is `text`, without regard to case and surrounding marks."""
        wanted = text.casefold().strip(" .\t\n")
        for index, (choice, bare) in enumerate(zip(self.choices, self.texts, strict=True)):
            if wanted in (choice.casefold().strip(" ."), bare.casefold().strip(" .")):
                return index
        return None

    def find_by_letter(self, letter: str) -> int | None:
        """The index of the choice with that letter."""
        if letter.upper() not in self.letters:
            return None
        return self.letters.index(letter.upper())

    def find_by_number(self, text: str) -> int | None:
        """The index of the choice that `text` names by its number among the choices ("option 2", "the last one")."""
        key = comparison_key(text)
        if key[:2] in (("option", "number"), ("choice", "number")):
            key = (key[0], *key[2:])
        if key[:1] == ("number",):
            key = (_OPTION_NOUNS[0], *key[1:])
        if key in self.numeric_aliases:
            return self.numeric_aliases[key]
        if len(key) == 2 and key[1] in (*_OPTION_NOUNS, "1") and not any(map(is_number, _last_words(self.keys))):
            places = {f"{number + 1}th": number for number in range(len(self.keys))} | dict.fromkeys(
                ("last", "final"), len(self.keys) - 1
            )
            return places.get(key[0])
        return None

    def find_asserted(self, text: str) -> set[int]:
        """The indices of the choices that `text` asserts, by their texts or numeric aliases."""
        return asserted(self.find_mentions(text))

    def find_mentions(self, text: str) -> list[Mention]:
        """The mentions of choices, by their texts or numeric aliases; none if a name has two meanings."""
        words = " ".join(token.text for token in tokenize_text(text))
        if self.numeric_aliases and len(self.keys[0]) == 2 and _NUMBER_PAIR.search(words):
            return []
        aliases = {
            name: index for name, index in self.numeric_aliases.items() if len(name) > 1 and name not in self.keys
        }
        for key in self.keys:
            if len(key) == 1 and is_number(key[0]):
                # "Option 2" can mean the second choice or the choice "2".
                aliases.update({(noun, key[0]): _AMBIGUOUS for noun in _OPTION_NOUNS})
        aliases.update((name, index) for name, index in self._distinct_parts.items() if name not in self.keys)
        indices = [*range(len(self.keys)), *aliases.values()]
        mentions = find_mentions(text, [*self.keys, *aliases])
        found = [mention._replace(phrase_index=indices[mention.phrase_index]) for mention in mentions]
        if _AMBIGUOUS in asserted(found):
            return []
        return found

    @cached_property
    def _distinct_parts(self) -> dict[ComparisonKey, int]:
        """The choices without the words that all begin or end with; none if such a part counts, denies or is empty."""
        keys = self.keys
        shortest = min(map(len, keys), default=0)
        begin = next((at for at in range(shortest) if len({key[at] for key in keys}) > 1), shortest)
        end = next((at for at in range(shortest - begin) if len({key[-1 - at] for key in keys}) > 1), 0)
        parts = {key[begin : len(key) - end]: index for index, key in enumerate(keys)}
        words = {word for part in parts for word in part}
        vague = any(not set(part) - _FUNCTION_WORDS for part in parts)
        if len(parts) < 2 or vague or any(word[0].isdigit() or _DENYING.fullmatch(word) for word in words):
            return {}
        return parts

    def find_paraphrased(self, text: str, named: set[int]) -> bool:
        """Whether a text has all the words of a choice outside `named`, in any order and with other endings."""
        stems = {_stem(token.text) for token in tokenize_text(text)}
        own = {_stem(word) for index in named for word in self.keys[index]}
        others = [set(map(_stem, key)) for index, key in enumerate(self.keys) if index not in named and len(key) > 1]
        return any(other <= stems and not other <= own for other in others)


def _contains(key: ComparisonKey, part: ComparisonKey) -> bool:
    return any(key[at : at + len(part)] == part for at in range(len(key) - len(part) + 1))


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|s)$", "", word) if len(word) > 4 else word


def _last_words(keys: list[ComparisonKey]) -> list[str]:
    return ["".join(key[-1:]) for key in keys]
