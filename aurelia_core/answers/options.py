"""What each choice of a question can be called: its letter, its text, its number among the choices."""

import re
from dataclasses import dataclass
from functools import cached_property

from aurelia_core.answers.tokens import ComparisonKey, asserted, comparison_key, find_mentions, is_number, tokenize_text

CHOICE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OPTION_NOUNS = ("option", "choice")
CHOICE_NOUNS = (*_OPTION_NOUNS, "answer", "audio", "track", "clip", "sound", "candidate", "music", "song", "soundtrack")
_MARK = re.compile(r"^\s*\(?([A-Za-z])[.):]\s+")
_PAIR = re.compile(r"(?<!\S)\d+ (?:(?:and|or|to) )?\d+(?!\S)")
_EITHER = -1


@dataclass(frozen=True)
class ChoiceNames:
    """The choices of one question, by all that they can be called."""

    choices: tuple[str, ...]

    @cached_property
    def texts(self) -> list[str]:
        """The choices without letters of their own."""
        return [_MARK.sub("", choice) for choice in self.choices]

    @cached_property
    def letters(self) -> list[str]:
        """The letter of each choice: its own where all have one, else from A on."""
        marks = [match[1].upper() if (match := _MARK.match(choice)) else "" for choice in self.choices]
        return marks if all(marks) and len(set(marks)) == len(marks) else list(CHOICE_LETTERS[: len(self.choices)])

    @cached_property
    def keys(self) -> list[ComparisonKey]:
        """The key of each choice; empty where another text has the same or an identical choice stands before."""
        keys = [comparison_key(text) for text in self.texts]
        texts = [text.casefold().strip() for text in self.texts]
        clash = {one for one in keys if len({t for k, t in zip(keys, texts, strict=True) if k == one}) > 1}
        return [() if k in clash or k in keys[:place] else k for place, k in enumerate(keys)]

    @cached_property
    def numeric_aliases(self) -> dict[ComparisonKey, int]:
        """Further names of the choices by number, where a number can mean one thing only."""
        last = [k[-1] if k else "" for k in self.keys]
        if all(is_number(number) for number in last):
            return self._tracks(last) if all(len(k) == 2 for k in self.keys) else {}
        places = range(1, len(self.keys) + 1)
        return {
            name: at - 1 for at in places for noun in _OPTION_NOUNS for name in ((noun, str(at)), (f"{at}th", noun))
        }

    def _tracks(self, numbers: list[str]) -> dict[ComparisonKey, int]:
        names: dict[ComparisonKey, int] = {}
        nouns = {*CHOICE_NOUNS, "1", *(k[0] for k in self.keys)}
        for place, number in enumerate(numbers):
            in_order = number == str(place + 1)
            names[(number,)] = place
            names |= {(noun, number): place for noun in nouns if in_order or noun not in _OPTION_NOUNS}
            names |= {(f"{number}th", noun): place for noun in nouns if in_order} | (
                {(f"{number}th",): place} if in_order else {}
            )
        return names

    def find_by_text(self, text: str) -> int | None:
        """The choice that is `text`, as written or by its key."""
        found = comparison_key(text)
        by_key = self.keys.index(found) if found and found in self.keys else None
        return by_key if (place := self.find_verbatim(text)) is None else place

    def find_verbatim(self, text: str) -> int | None:
        """The first choice that is `text` but for case and what stands around it."""
        plain = text.casefold().strip(" .\t\n")
        for place, (choice, bare) in enumerate(zip(self.choices, self.texts, strict=True)):
            if plain in (choice.casefold().strip(" ."), bare.casefold().strip(" .")):
                return place
        return None

    def find_by_letter(self, letter: str) -> int | None:
        """The choice with that letter."""
        return self.letters.index(letter.upper()) if letter.upper() in self.letters else None

    def find_asserted(self, text: str) -> set[int]:
        """The choices whose texts (or numbered names) `text` stands by."""
        if (
            self.numeric_aliases
            and len(self.keys[0]) == 2
            and _PAIR.search(" ".join(token.text for token in tokenize_text(text)))
        ):
            return set()
        aliases = {
            name: place for name, place in self.numeric_aliases.items() if len(name) > 1 and name not in self.keys
        }
        # "Option 2" where the choices are numbers is either the second or the one that reads 2.
        aliases |= {
            (noun, k[0]): _EITHER for noun in _OPTION_NOUNS for k in self.keys if len(k) == 1 and is_number(k[0])
        }
        places = [*range(len(self.keys)), *aliases.values()]
        found = find_mentions(text, [*self.keys, *aliases])
        named = asserted(mention._replace(phrase_index=places[mention.phrase_index]) for mention in found)
        return set() if _EITHER in named else named
