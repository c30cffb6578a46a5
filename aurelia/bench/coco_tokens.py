r"""The words of a caption as the COCO caption toolkit counts them, without Java.

The toolkit runs Stanford's PTBTokenizer (3.4.1, lower case) and drops a list of punctuation. Its habits are kept, the
odd ones too: brackets become words ("-lrb-"), runs of marks stay ("!!!"), "room.he" is one word. docs/metrics.md says
on how many captions the words agree.
"""

import re
from collections.abc import Callable

# What the toolkit drops after tokenizing. It compares with capital -LRB- after lowering, so brackets stay.
PUNCTUATION = frozenset({"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"})
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_SPLIT_WORDS = {
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "wanna": ("wan", "na"),
    "gimme": ("gim", "me"),
    "lemme": ("lem", "me"),
    "d'ye": ("d'", "ye"),
    "'tis": ("'t", "is"),
    "'twas": ("'t", "was"),
}
# Abbreviations that no caption needs as a word: "no." and "sat." end sentences.
_ABBREVIATIONS = (
    "mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|inc|corp|ltd|capt|lt|sgt|rev|sen|gov|ave|blvd|mt|ft|dept|univ|bros|jan|feb|apr|aug|"
    "sept|oct|nov|dec|approx|messrs|mme|ph.d|adm|cmdr"
)
_TOKEN = re.compile(
    r"(?P<url>https?://\S+|www\.\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<abbreviation>(?:[a-z]\.){2,}(?![a-z])"
    rf"|\b(?:{_ABBREVIATIONS})\.(?=[.\s]|$))"
    r"|(?P<number>\d+(?:[.,:/]\d+)*(?:-\d+(?:[.,:/]\d+)*)*(?![\w-]))"
    r"|(?P<decade>'\d\ds\b)"
    r"|(?P<word>[^\W_](?:[\w]|[-/&.@_](?=\w)|['’](?=\w))*)"
    r"|(?P<suffix>['’](?:s|m|d|ll|re|ve|n['’]|em|til|cause|tis|twas)(?!\w))"
    r"|(?P<dots>\.{2,}|…)"
    r"|(?P<marks>[!?]+)"
    r"|(?P<dashes>[-–—_]+)"
    r"|(?P<other>\S)"
)
_CONTRACTION = re.compile(r"^(.+?)(n't|'(?:s|m|d|ll|re|ve))$")
_INNER_QUOTE = re.compile(r"^(y'|o'|d')(?=all$)")


def coco_tokens(text: str) -> list[str]:
    """The words of a caption, in lower case, without the punctuation that the toolkit drops."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(" ".join(text.lower().split())):
        kind = str(match.lastgroup)
        tokens += _SPLITTERS.get(kind, _whole)(match[0])
    return [token for token in tokens if token not in PUNCTUATION]


def _whole(token: str) -> list[str]:
    return [token.replace("’", "'")]


def _word(token: str) -> list[str]:
    token = token.replace("’", "'")
    if token in _SPLIT_WORDS:
        return list(_SPLIT_WORDS[token])
    found = _CONTRACTION.match(token)
    if found:
        return [*_word(found[1]), found[2]]
    quoted = _INNER_QUOTE.match(token)
    if quoted:
        return [quoted[0], token[quoted.end() :]]
    return [token]


def _other(token: str) -> list[str]:
    if token in '"“”„«»‘’':
        return []
    return [_BRACKETS.get(token, token)]


def _nothing(token: str) -> list[str]:
    return []


_SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    "word": _word,
    "dots": _nothing,
    "dashes": _nothing,
    "other": _other,
}
