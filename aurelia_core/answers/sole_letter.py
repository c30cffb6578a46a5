"""The rule for a reply that names only one letter: a sentence with it decides and doubts nothing, in whatever wording.

The tables of `aurelia_core.answers.choice_rules` know wordings; this rule knows words. It reads what no wording reads
("Ich tippe auf C", "B gets my vote") and nothing in which a word may deny, doubt, compare or suppose. The words of all
rows are ours, found on `tests/data/choice_replies_*.jsonl`; a word too many in `DOUBTING` costs a reply, one too few an
error.
"""

import re
from typing import Final

from aurelia_core.answers import choice_rules as rules
from aurelia_core.answers.languages import CHOOSING, DENYING, NOUNS, RIGHT, WRONG
from aurelia_core.answers.options import ChoiceNames

DECIDING: Final = (
    # (words of a sentence that chooses, language)
    (
        r"answer\w*|ans|choos\w+|chose\w*|select\w*|pick\w*|opt|settl\w+|go(?:ing)? (?:with|for)|votes?"
        r"|say|guess|correct|right|best|fits?|match\w*|likely|conclu\w+|therefore|hence|thus|so|verdict|prefer|confident"
        r"|sure|certain\w*|my (?:choice|vote|bet)|only one|makes sense|wins|evidence"
        r"|clues|favou?rs|final\w*|overall|short|summar\w+|decid\w+|bet",
        "English",
    ),
    (r"donc|avis|bonne|correcte?|exacte|convient", "French"),
    (r"opinión|correct[ao]|adecuada|por (?:lo )?tanto|diría", "Spanish"),
    (r"richtig\w*|stimmt|meinung|tippe|wahl|wähle\w*|daher|somit|also|trifft", "German"),
    (r"corrett[ao]|giust[ao]|secondo me|quindi|dunque", "Italian"),
    (r"corret[ao]|cert[ao]|portanto", "Portuguese"),
    (r"juist\w*|correct|denk|dus", "Dutch"),
    (r"poprawna|prawidłowa|zdaniem|zatem|więc", "Polish"),
    (r"верен|верно|верный|думаю|следовательно|поэтому|значит|тому|итак", "Russian and Ukrainian"),
    (r"bence|doğru", "Turkish"),
    (r"chọn|vì vậy|đúng|jadi|menurut|benar|tepat", "Vietnamese, Indonesian"),
    (r"rätt|riktig\w*|rigtig\w*|oikea|správn\w+|corectă?|helyes", "others"),
    (
        r"(?:options?|choices?|alternativ[ea]?|letter|lettre|letra|opción|opzione|opção|optie|opcja|вариант|варіант|seçenek"
        r"|pilihan|opsi|možnost|varianta|vaihtoehto|choix|proposition|aussage)\s*[(\"']?[A-Z][)\"']?\s*(?:[.,;:!)]|$)",
        "a choice as the end of a clause",
    ),
)
"""Words, each whole. Nouns and verbs of `aurelia_core.answers.languages` decide too."""

DECIDING_SIGNS: Final = (
    r"[选選](?![项項択])|答|正[确確]|所以|因此|故|最|正解|適切"
    r"|정답|선택(?!지)|옳|맞|적절|따라서|सही|ตอบ|เลือก|الصحيح|لذلك"
)
"""The same in scripts without spaces between words."""

DOUBTING: Final[tuple[tuple[str, str], ...]] = (
    # (words of a sentence that may not choose what it names, what they do)
    (
        r"not|no|never|neither|nor|none|nothing|nobody|cannot|\w+n't|without|lacks?|lacking|absent|false|wrong|incorrect|untrue",
        "deny",
    ),
    (
        r"rul\w+ out|eliminat\w+|exclud\w+|discard\w*|dismiss\w*|reject\w*|ignor\w+|fail\w*|drop\w*|discount\w*|out"
        r"|scheidet|descart\w+|scart\w+|élimin\w+|exclu\w+|errad[ao]|errat[ao]|fals\w+|erreur|mistak\w+|error|away",
        "remove",
    ),
    (r"if|unless|whether|would|could|might|may|had|were|when|suppose|assum\w+|imagin\w+|hypothe\w+", "suppose"),
    (r"unlikely|improbable|impossible|implausible|hardly|barely|doubt\w*|uncertain|unsure|questionable", "doubt"),
    (
        r"maybe|perhaps|possibl[ey]|plausible|peut-être|quizás?|vielleicht|forse|talvez|misschien|может|возможно",
        "hedge",
    ),
    (
        r"distract\w*|decoy|trap|tempt\w*|misle\w+|contra\w+|against|popular|common\w*|thought|initial\w*|first",
        "set apart",
    ),
    (
        r"more|less|least|than|between|versus|vs|either|or|both|compar\w+|weak\w*|wors[et]|second|rather|instead",
        "compare",
    ),
    (r"people|viewers|listeners|most|many|others|some|someone|everyone|everybody|they", "say who else says it"),
    (r"mention\w*|describ\w+|says|ask\w*|claims?|refer\w*|question|state[sd]?|reads?|listed|given|labell?ed", "quote"),
    (
        r"не\w+|nie\w*|błędn\w+|není|nesprávn\w+|špatn\w+|falsch\w*|unrichtig\w*|inexacte?|incorrect\w*|inc?corr?ett?[ao]|sbagliat\w+"
        r"|onjuist\w*|fout\w*|verkeerd\w*|fel\w*|forkert\w*|feil\w*|väär\w+|rossz|téves|hibás|greșit\w*|incorect\w*|yanlış|değil"
        r"|salah|keliru|bukan|sai|không|λάθος|δεν|לא|שגוי\w*|نادرست|غلط|نیست|خاطئ\w*|خطأ|غير",
        "deny",
    ),
    (r"décrit|parle|describe|menciona|beschreibt|erwähnt|descrive|descreve|описывает|упоминает", "quote"),
    (
        r"except|besides|apart|unlike|anything|everything|all|every|only if|other than|far from|sauf|salvo|außer",
        "exclude",
    ),
)

# Letters that name something else: a key, a vitamin, a plan, a person.
_TRAP_BEFORE = (
    r"vitamin|plan|key|grades?|sections?|parts?|segments?|verse|person|speakers?|cameras?|players?|teams?|groups?|types?"
    r"|class|category|notes?|chords?|strings?|scene|room|gate|exit|apartment|points?|figure|exhibit|line|platform|level"
    r"|block|channel|band|mic|road|side|bar|an|mr|mrs|dr|the"
)
_TRAP_AFTER = r"(?:major|minor|sharp|flat|chord|note|string|key|scale|team|road|side|section)\b"
# After "A", "E", "I" …: words by which it is a letter all the same. Before any other word it may be a word itself.
_AFTER_LETTER = (
    r"is|because|since|as|for|which|but|here|due|and|or|nor|o|u|e|y|ou|et|oder|und|noch|of|en|или|и|ни|або|lub|czy|ani"
    r"|veya|ve|hoặc|hay|atau|dan|eller|och|og|tai|nebo|sau|vagy|또는|혹은|أو|या"
)
_VOWEL_WORD = rf"(?!(?<=[AEIOUYWZ])\s+(?!(?:{_AFTER_LETTER})(?!\w))[^\W\d_])"
_LABEL = re.compile(
    rf"(?<![A-Za-zÀ-ɏЀ-ӿ0-9.&'’+#/-])([A-Z])(?![A-Za-zÀ-ɏЀ-ӿ0-9+#♭♯/&]|-\w|\.\w|['’](?!d[ıiuü]r)\w){_VOWEL_WORD}(?!\s*{_TRAP_AFTER})"
)
# Characters before a letter among which such a word is looked for.
_NEAR = 40
_TRAPPED = re.compile(rf"\b(?:{_TRAP_BEFORE})\s+$", re.IGNORECASE)
_QUOTED_SIGNS = r"提到|描述|说的|指的|問|问|述べ|言及|언급|설명"
_SURE = re.compile(
    r"\b(?:I|we|We)(?:'d| would)\b(?! have\b)|\b(?:without|no|beyond) (?:a |any )?doubt\b", re.IGNORECASE
)
# A reply of so few words need not decide, and may hedge ("Vermutlich B.").
_FEW_WORDS = 3
_SENTENCE = re.compile(r"(?<=[.!?。！？])(?<!\b\w\.)\s+|(?<=[。！？])|\n+")


def _words(table: tuple[tuple[str, str], ...], further: str) -> re.Pattern[str]:
    own = "|".join(row[0] for row in table)
    return re.compile(rf"(?<!\w)(?:{own})(?!\w)|{rules.WORD_BEGIN}(?:{further}){rules.WORD_END}", re.IGNORECASE)


_DECIDES = _words(DECIDING, f"{NOUNS}|{CHOOSING}|{RIGHT}|{DECIDING_SIGNS}")
_HEDGES = re.compile("|".join(row[0] for row in DOUBTING if row[1] == "hedge"), re.IGNORECASE)
_DOUBTS = _words(DOUBTING, f"{DENYING}|{WRONG}|{_QUOTED_SIGNS}")


def sole_letter(text: str, options: ChoiceNames) -> int | None:
    """The index of the choice whose letter is the only one that a text names, if each sentence with it decides.

    None for a text that names a second letter, or asks, denies, doubts, compares or supposes in a sentence with it.
    """
    found: set[int] = set()
    short = len(text.split()) <= _FEW_WORDS
    for sentence in _SENTENCE.split(text):
        labels = [label for label in _LABEL.finditer(sentence) if label[1] in options.letters]
        if not labels:
            continue
        plain = _SURE.sub("", sentence)
        if short:
            plain = _HEDGES.sub("", plain)
        doubtful = _DOUBTS.search(plain) or rules.FOREIGN_DENIAL.search(plain) or "?" in sentence
        trapped = any(_TRAPPED.search(sentence, max(0, label.start() - _NEAR), label.start()) for label in labels)
        if doubtful or trapped or not (short or _DECIDES.search(sentence)):
            return None
        found.update(options.letters.index(label[1]) for label in labels)
    return found.pop() if len(found) == 1 else None
