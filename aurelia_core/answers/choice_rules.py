r"""The wordings that state, deny or weigh a choice: tables that `aurelia_core.answers.multiple_choice` reads.

Each row has a regular expression, an example that it must match, and its source: the public thread or file that shows
such a reply, or "own". The rows of one table are alternatives of one pattern; `aurelia_core.answers.languages` adds the
other languages.
"""

import re
from typing import NamedTuple

from aurelia_core.answers.languages import BETWEEN, CHOOSING, DENYING, INSTEAD, NOUNS, RIGHT, WRONG
from aurelia_core.answers.options import CHOICE_NOUNS


class Wording(NamedTuple):
    """One row: a regular expression without groups, a text that it matches, and where such texts are from."""

    pattern: str
    example: str
    source: str


_NOUN = "|".join(CHOICE_NOUNS)
# A word of these tables neither begins nor ends inside a word of a script with spaces.
WORD_BEGIN = r"(?:(?<!(?-i:[a-zA-Zà-ÿа-яіїє]))|(?=[\u0500-\uffff]))"
WORD_END = r"(?!(?<=[a-zà-ÿа-я])(?-i:[a-zà-ÿа-я]))"
_INSPECT = "https://github.com/UKGovernmentBEIS/inspect_ai/issues/5055"
_HARNESS = "https://github.com/EleutherAI/lm-evaluation-harness/pull/4188"
_ELIMINATED = "https://github.com/EleutherAI/lm-evaluation-harness/pull/3879"
_VOICEBENCH = "https://github.com/MatthewCYM/VoiceBench/issues/10"
_MEDARC = "medarc_verifiers tests/test_multiple_choice_accuracy.py"
_LANGUAGES = "aurelia_core/answers/languages.py"

STATEMENTS = (
    # An answer follows these words: a letter, a choice's text, or both.
    Wording(
        r"\b(?:answers?|ans|choice|option|conclusion)\b"
        r"(?: (?:to|for|based on|here|among|from|of|letter|choice|option)\b[^.:;\n]{0,160}?)?\s*"
        r"(?:(?:is|was|would be|should be|must be|will be|might be|seems to be|appears to be)\b(?! about\b)\s*:?"
        r"|:|=|->|→|-(?=\s))",
        "the best option here is",
        _INSPECT,
    ),
    Wording(
        r"\b(?:i|we)(?:'d|'ll| would| will)? (?:finally |now |therefore )?(?:choose|pick|select|answer|guess"
        r"|vote(?: for)?|go with|go for|opt for|settle on)\b:?",
        "I'd go with",
        _VOICEBENCH,
    ),
    Wording(
        r"(?:^|[.!?\n]\s*|\byou should |\blet's )(?:choose|select|pick|go with)\b(?= (?:option |choice )?\(?[A-Z]\b)",
        "You should choose B",
        "own",
    ),
    Wording(r"\b(?:i|we)(?:'d| would) say\b:?", "I'd say", "own"),
    Wording(r"\b(?:solution|selection|verdict|pick|prediction)\s*(?:is\b|would be\b|:|=|-(?=\s))", "Solution -", "own"),
    Wording(
        r"\b(?:count|total|number(?: of \w+(?: \w+){0,4}?)?) (?:is|was|comes to|amounts to)\b(?! (?:not|more"
        r"|less|at)\b)",
        "The count is",
        "own",
    ),
    Wording(
        r"\A\W*(?:it|this|that)(?:'s| is| was| must be| has to be) (?=(?:the|an?) [^.!?\n]{1,40}[.!]?\s*\Z)",
        "It must be the doorbell",
        "own",
    ),
    Wording(r"\b(?:i'm|i am|we are|we're) (?:going|sticking) with\b", "I'm going with", "own"),
    Wording(r"\b(?:chose|picked|selected)\b", "I selected", _VOICEBENCH),
    Wording(r"\blean(?:ing|s)? (?:more )?to(?:wards?)?\b", "leaning towards", "own"),
    Wording(r"\b(?:best |only )?guess(?: is| would be|:)|\bhad to guess,", "my best guess would be", "own"),
    Wording(
        r"\b(?:leaving|(?:that|this|which|it|only) leaves|leaves(?= (?:us|only|just|with)\b|\W*[A-Z]\b))"
        r"(?: us)?(?: only| just| with)?\b|\b(?:remaining|remains|left)\s*:",
        "that leaves",
        _ELIMINATED,
    ),
    Wording(
        r"\b(?:points to|corresponds to|matches(?: with)?|is consistent with|fits|suggests|supports|indicates)\s+"
        rf"(?=(?i:{_NOUN})?\s*\(?[A-Z]\b\)?)",
        "the sound matches option B",
        "own",
    ),
    Wording(
        r"\b(?:it's|it is|that's|that is)\s+(?:(?i:option|choice|answer)\s+)?"
        r"(?=\(?[A-HJ-Z]\b\)?\s*(?:[.,;!]|$|\n))",
        "it's D.",
        _MEDARC,
    ),
    Wording(
        r"\b(?:(?:this|that) one(?:'s| is)|(?:we|i) get|answering(?: with)?|makes? it|(?:comes|narrows"
        r"|boils)(?: it)? down to)\s+"
        r"(?=\(?[A-HJ-Z]\b\)?\s*(?:[.!]|$))",
        "That makes it C.",
        "own",
    ),
    Wording(r"\bfinal(?:ly)?\s*:|\bfinal answer\s+(?=\(?[A-Z]\b)", "Final: B", "own"),
    Wording(r"(?:→|⇒|->|=>)\s*(?=(?:(?:option|choice|answer)\s*)?\(?[A-Z]\b)", "→ choice B", _MEDARC),
    Wording(
        rf"{WORD_BEGIN}(?:{NOUNS}){WORD_END}(?:[\s:：—–-]*(?:{BETWEEN}){WORD_END})*[\s:：—–-]*",
        "La respuesta correcta es la opción",
        _LANGUAGES,
    ),
    Wording(
        rf"{WORD_BEGIN}(?:hence|thus|therefore|daher|somit|donc|quindi|dunque|así que|por (?:lo )?tanto|portanto|dus"
        r"|zatem|итак|значит|следовательно|поэтому|所以|因此|故|따라서|したがって|よって|لذلك)[\s,、]*"
        rf"(?:(?:{BETWEEN}){WORD_END}\s*)*(?=[(（]?(?-i:[A-Z])[)）]?(?![a-z]))",
        "donc",
        "own",
    ),
    Wording(rf"{WORD_BEGIN}(?:{CHOOSING}){WORD_END}(?:\s*(?:{BETWEEN}){WORD_END})*\s*:?", "Je choisis", _LANGUAGES),
)

CORRECTIONS = (
    # The answer follows a denied one. Such words are no statement of their own without a letter.
    Wording(
        r"(?<!anything )(?<!everything )(?<!all )\b(?:but|rather)\b,?\s+(?:(?:is|it's|it is|in fact"
        r"|instead)\s+)?(?:option |choice )?(?=\(?[A-Z]\)?\s*(?:[.,;!]|$))",
        "not A but B",
        "own",
    ),
    Wording(
        rf"{WORD_BEGIN}(?:{INSTEAD}){WORD_END}[\s,、]*(?:(?:{BETWEEN}){WORD_END}\s*)*(?=[(（]?[A-Z][)）]?(?![a-z]))",
        "nicht A, sondern B",
        _LANGUAGES,
    ),
)

APPROVALS = (
    # These words after a letter say that it is right.
    Wording(
        r"\s+(?:is|was|must be|seems?|looks|appears to be|would be|should be) (?:clearly |definitely |probably "
        r"|likely )?(?:the )?(?:(?:only |more |much |most )?(?:correct|right|best|better|answer|accurate|fit"
        r"|closest|likeliest|winner)|(?:more|most) (?:likely|plausible|probable|fitting|suitable|appropriate"
        r"|consistent|convincing))\b",
        " is the best",
        _HARNESS,
    ),
    Wording(
        r"\s+(?:clearly |really )?(?:fits|matches|is what is heard|stands out|(?:is|would be) my (?:final "
        r"|best |only )?(?:answer|choice|pick|guess)"
        r"|makes (?:the )?most sense)\b(?! (?:not|neither|nothing|as well|too|also|equally))",
        " fits best",
        "own",
    ),
    Wording(
        r"\s+(?:remains|holds(?: true)?|is left|survives|prevails|is the only one left|is all that(?:'s| is) left)"
        r"(?=\s*(?:[.!;,]|$))",
        " remains.",
        "own",
    ),
    Wording(
        r"\s+(?:best|most accurately|most closely|correctly|accurately) (?:describes|matches|fits|explains|captures"
        r"|answers|represents|reflects|identifies|summari[sz]es|accounts for|corresponds to|aligns with)\b",
        " best describes",
        "own",
    ),
    Wording(
        r"\s+(?:is|seems|appears) (?:fully |entirely |clearly |directly )?(?:consistent with|in line with|supported by"
        r"|confirmed by|backed by)\b",
        " is consistent with",
        "own",
    ),
    Wording(r"\s+the (?:only |right |correct |best )?(?:answer|choice|winner)\b", " the answer", "own"),
    Wording(r"\s+it is\b(?=\s*[.!]|\s*$)", " it is.", "own"),
    Wording(r"\s+is(?=\s*[.!;]|\s*$)", " is.", "own"),
    Wording(rf"\s*(?:{RIGHT})", "が正解", _LANGUAGES),
)

DENIALS = (
    # These words after a letter deny it.
    Wording(r"(?:is|was|are|seems?)\s+(?:not|wrong|incorrect|false|never|too)\b", "is wrong", _INSPECT),
    Wording(
        r"(?:isn't|wasn't|aren't|doesn't|don't|can't|couldn't|cannot|can not|won't|wouldn't|fails)\b", "isn't", _MEDARC
    ),
    Wording(rf"(?:{WRONG})", "ではない", _LANGUAGES),
)

BOXES = (
    Wording(
        r"\\(?:boxed|fbox|framebox)\s*\{(?:[^{}]|\{[^{}]*\})*\}",
        r"\fbox{B}",
        "https://github.com/AISBench/benchmark/pull/546",
    ),
    Wording(r"\\colorbox\{[^{}]*\}\{[^{}]*\}", r"\colorbox{yellow}{B}", "own"),
)

UNASSERTED = (
    # A sentence with these words names a choice without saying that it is heard or seen.
    Wording(
        r"\banything (?:but|except|other than)\b|\bfar from\b|\b(?:hardly|barely|scarcely)\b", "anything but", "own"
    ),
    Wording(r"\b(?:might|may|could|should|would)\b(?! say\b)", "it might be", "own"),
    Wording(
        r"\b(?:expect(?:ed)?|imagine|suppose|assume|mistak\w+|confus\w+|pretend\w*|hop(?:e|ing)|wish)\b",
        "you expect",
        "own",
    ),
    Wording(r"\bif\b(?! anything\b)|\b(?:whether|unless|as though)\b", "if", "own"),
    Wording(
        r"\b(?:option|choice|answer|question|title|caption|text|prompt)s?\b(?: [A-Z1-9])?(?: \w+)? (?:mentions?"
        r"|describes?|says?|asks?|"
        r"refers?|talks?|is about|are about|states?|suggests?|claims?|includes?)\b",
        "Option A mentions",
        "own",
    ),
    Wording(r"\b(?:thought|at first|initially|first impression|seemed)\b", "I thought", "own"),
    Wording(r"\b(?:maybe|perhaps|possibly|conceivably)\b", "maybe", "own"),
    Wording(
        r"\b(?:one|part|some|none) of the (?:options|choices|answers|candidates)\b|\b(?:option|choice)s? \(?[A-Z]\b",
        "is one of the options",
        "own",
    ),
    Wording(
        r"\b(?:silent|muted|inaudible|score|picture|poster|label|description|script)\b", "visible but silent", "own"
    ),
    Wording(
        r"\b(?:choice|option|one) is about\b|\bi (?:was|am|have been) asked\b|\basked about\b",
        "the first choice is about",
        "own",
    ),
    Wording(
        r"\b(?:people|most|many|others?|some(?:one)?) (?:\w+ )?(?:say|think|believe|call|mistake)\b",
        "most people say",
        "own",
    ),
    Wording(
        r"\b(?:remind\w*|resembl\w+|similar to|unlike|compar\w+)\b"
        r"|(?<!sounds )(?<!sound )(?<!looks )(?<!seems )(?<!sounded )\blike\b",
        "reminds me of",
        "own",
    ),
    Wording(r"\b(?:usual(?:ly)?|typical(?:ly)?|often|normally|generally|needs?|wants?|wanted)\b", "usually", "own"),
    Wording(r"\b(?:all|every\w*|any\w*)(?: (?:options?|choices?|of \w+))? but\b", "all options but", "own"),
    Wording(
        r"\b(?:not|isn't|wasn't) (?:right|correct|it|the answer)\b|\b(?:first|second|third|fourth"
        r"|last) (?:option|choice)\b",
        "is not right",
        "own",
    ),
    Wording(
        r"\b(?:wrong|false|untrue|mentioned|asked|listed|described(?! as\b)|offered|named in)\b",
        "they are wrong",
        "own",
    ),
    Wording(
        r"\b(?:ought|supposed|doubt(?:s|ful)?|unlikely|suspicious|suggested|call(?:s|ed)? (?:it|this|that))\b",
        "I doubt",
        "own",
    ),
)

ASSERTING = re.compile(
    r"(?:^\s*|[.!?;:,\n(\"]\s*|\b(?:at|around|about|near) [\d.:]+ ?(?:s|sec\w*)?\s+|"
    r"\(?\b[A-Z]\)\s*|\b(?:is|are|was|were|be|been|being|it's|that's|this's|he's|she's"
    r"|here's|there's|what's|isn't just|"
    r"hear|hears|heard|hearing|see|sees|seen|seeing|notice|detect|detects|recogni[sz]e|identify|pick(?:s|ed)? up|"
    r"(?:sound|look|seem|sounded)s? like|sounding like|seems|sounds|looks|feels|equals|means|suggests?|indicates?|"
    r"sits|stands|lies|stays|appears|located|placed|positioned|standing|sitting|rings|blows|honks|play|plays"
    r"|playing|played|plucks|shows?|showing|contains?|features?|has|have|of|by|on|in"
    r"|to|from|with|and|then|a single|"
    r"count|counted|only|just|clearly|definitely|probably|likely|actually|certainly|both|first|yes|so|but|therefore|thus|hence"
    r"|while|when|"
    r"c'est|il s'agit d[eu'](?: la)?|on entend(?: clairement)?|se (?:oye|escucha)|se trata de|es|das ist|es ist"
    r"|man hört|"
    r"corresponde a|proviene de|correspond à|provient d[e'u](?: la)?|"
    r"это|слыш(?:ен|на|но|ны)|è|si sente|é|ouve-se|"
    r"involves|called|named|as|say|says|at|where|because|since|than|that|after|before|during)\b[\s\"“'(]*)"
    r"(?:(?:the|a|an|some|one|his|her|their|two|very|right|sound of|loud|soft|single|same"
    r"|\w+ly)\s+)*(?:(?<=\ba )\w+\s+|(?<=\ban )\w+\s+|(?<=\bthe )\w+\s+)?$",
    re.I,
)
"""Before a mention: its clause begins with the mention, or asserts it. Other words before it assert nothing."""

SUPPOSED = re.compile(
    r"\b(?:if (?:it|this|that|there) (?:were|was|had been)|had (?:it|this|that|there) been)\s+(?:an? |the )?$", re.I
)
"""Before a mention: a choice that is supposed only to be denied ("if it were a piano, …")."""
ASKED_AND_DENIED = re.compile(r"^\?\s*(?:no|nope|not|neither)\b", re.I)
"""After a mention: the reply asks itself and denies ("Guitar? No.")."""
COUNTERFACTUAL = re.compile(r"^\W*(?:\w+\s+)?would (?:be|have|sound|last|look|need|not)\b", re.I)
"""After a mention: what would be heard if the choice were right. The mention is denied."""

UNSURE = re.compile(
    r"\b(?:cannot|can't|can not|unable to|could not|couldn't|impossible to) (?:\w+ )?(?:tell|say|determine"
    r"|decide|know|be sure)\b|"
    r"\b(?:not sure|unsure|uncertain|unclear|no idea|not certain)\b|\bdon't know\b|\bto be sure\b|"
    r"\b(?:doesn't|does not|don't|do not|can't|cannot|won't|will not) (?:\w+ )?(?:tell|say|show|prove|mean"
    r"|settle|decide"
    r"|answer|explain|establish|imply|confirm)\b",
    re.I,
)
"""A text with these words names its choices without choosing."""

TAKEN_BACK = re.compile(
    r"\b(?:wait|on second thoughts?|correction|reconsider|kidding|i mean|scratch that)\b"
    r"|(?:\.{2,}|…|\bor|\bno)\W+(?:no|sorry|rather)\b|[.!?…\n]\s*(?:(?:no|hmm"
    r"|but)\W+)?"
    r"actually\b|\bhmm\W+no\b",
    re.I,
)

NORMAL_FORMS = (
    # (pattern, replacement, what it is): forms of one thing are written alike before reading.
    (
        r"(?:选项|選項|選択肢|선택지|옵션)\s*([1-9])(?!\d)",
        r" option \1 ",
        "a numbered option in Chinese, Japanese, Korean",
    ),
    (
        r"第\s*([1-9一二三四五])\s*(?:个|個)?(?:选项|選項|项|項)|^\W*第([1-9一二三四五])(?:个|個)(?=\W*$)",
        r" option \1\2 ",
        "the same, counted",
    ),
    (r"^\W*([1-9])번(?=\W*$)", r"option \1", "a number of a choice in Korean, alone"),
    (r"^\W*(?:total|sum|count)\s*[=:]\s*(?=\d+\W*$)", "", "a count with its name, alone"),
    (r"\b(?:between|from)\s+(\d+(?:\.\d+)?)\s+(?:and|to)\s+(\d+(?:\.\d+)?)\b", r"\1 to \2", "a range in words"),
    (r"(?<![\w-])(\d+(?:\.\d+)?)\s*[-–—]\s*(\d+(?:\.\d+)?)(?![\w-]|\.\d)", r"\1 to \2", "a range with a dash"),
    (r"(?<![\w.,])(\d+)\.0+(?![\w.])", r"\1", "a whole number with decimals"),
    (r"[☐□]", "[ ]", "an empty box"),
    (r"[☑🗹]", "[x]", "a checked box"),
    (
        r"\b(?:every|all)(?: of the)?(?: other)? (?:options?|choices?|answers?) (?:except|but"
        r"|other than) \(?([A-Z])\)? (?:is|are) (?:wrong|incorrect|false|ruled out|eliminated)\b",
        r"the answer is \1",
        "all others denied",
    ),
    (
        r"\b(?:(?:every|all|any)(?: other)? (?:options?|choices?|answers?)|everything|anything|all) "
        r"(?:except|other than|besides|apart from) (?:option |choice )?\(?([A-Z])\)? "
        r"(?:is|are|can be|could be|must be|would be|has to be) (?:safely |clearly )?"
        r"(?:wrong|incorrect|false|ruled out|eliminated|excluded|inconsistent|impossible|out|dismissed|discarded)\b",
        r"the answer is \1",
        "the same in other words",
    ),
    (
        r"\bis (?:exactly |precisely |just )?what (?:option|choice|statement|answer) \(?([A-Z])\)? "
        r"(?:states?|says?|describes?|claims?)\b",
        r"holds, so the answer is \1",
        "a choice that the text repeats",
    ),
    (r"^\W*1[.)]\s*(?=\(?[A-Z]\)?\.?\s*$)", "", "the number of the question before a letter"),
    (r"^\W*it's an? (yes|no)\b", r"\1", "a yes or no as a noun"),
    (r"\brather (\w+) than\b", r"\1 rather than", "a comparison"),
    (
        r"\b(?-i:([A-Z])) (?:rather than|instead of|and not|over) (?-i:([A-Z]))\b(?=\W*$)",
        r"\1, not \2",
        "a letter before another",
    ),
    (r"^\W*是的(?=\W|$)", "是", "yes in Chinese"),
    (r"^\W*(?:nope|nah)\b", "No", "an informal no"),
    (r"^\W*(?:yep|yeah|yup)\b", "Yes", "an informal yes"),
    (r"^\W*(?:about|around|approximately|roughly)\s+(?=\d+\W*$)", "", "a rounded number, alone"),
    (r"(?<=\d)\s*(?:s|secs?)\b(?!\s*\.\d)", " seconds", "a unit"),
    (
        r"(?:选项|選項|選択肢|선택지|옵션)\s*[(（]?([A-Z])[)）]?",
        r" option \1 ",
        "an option with its letter in Chinese, Japanese, Korean",
    ),
    (r"\bI(?:'d| would) put (?:about )?(?:[6-9]\d|100) ?% on\b", "I choose", "a share for one choice"),
    (
        r"\bI(?:'m| am) (?:about )?\d{1,3} ?% (?:sure|certain|confident)(?: that)?\b",
        "I think",
        "a confidence before the answer",
    ),
    (
        r"\b(?:none|no (?:other )?(?:option|choice|answer)s?)\b(?![^.!?\n]*(?:wrong|incorrect|false))[^.!?\n]{0,80}? "
        r"(?:except|but|other than|than) (?:for )?(?:option |choice )?\(?([A-Z])\)?(?=\s*(?:[.!]|$|makes|fits|is\b))",
        r"the answer is \1",
        "none but one",
    ),
    (
        r"\bthe (first|second|third|fourth|fifth|last) (?:one )?"
        r"(?:of the (?:two|three|four|five|options|choices)|listed)\b",
        r"the \1 option",
        "a place among the options",
    ),
)
CONFIDENCE = re.compile(
    r"\s*[-–—(,]\s*(?:about |around |with )?\d{1,3}(?:\.\d+)?\s*% ?(?:confiden\w+|sure|certain\w*|likely"
    r"|probab\w+|)\s*\)?(?=\s*(?:[.!]?\s*$|[.!]\s))",
    re.I,
)
"""A confidence after the answer; several shares are no confidence."""
LETTER_SIGNS = (
    # The first sign of an alphabet whose letters stand for A, B, C …, and how many it has.
    ("🅐", 26, "a letter in a black circle"),
    ("🅰", 26, "a letter in a black square"),
    ("🇦", 26, "half of a flag"),
)
NUMBER_SIGN = re.compile(r"([1-9])\ufe0f?\u20e3|([①-⑨➀-➈❶-❾])")
"""A number in a key or in a circle: the place of a choice."""
CJK_NUMBERS = {"一": "1", "二": "2", "三": "3", "四": "4", "五": "5"}

VERDICT_LINE = re.compile(
    r"^\W*+(?:\d{1,2}[.)]\s*)?\W*+(?:(?i:option|choice|answer)\s+)?\(?([A-Z])\b\W*?(?:[.):：-]\s*)?(?P<text>.*)$"
)
RIGHT_VERDICT = re.compile(
    r"[✓✔✅☑]|\b(?:correct|right|true|yes|fits|match(?:es)?|plausible|likely|possible)\b|正确|正確", re.I
)
WRONG_VERDICT = re.compile(
    r"[✗✘❌✕×☒]|\b(?:incorrect|wrong|false|not|no|cannot|too|never|\w+n't|unlikely|impossible|implausible)\b|错|錯|不",
    re.I,
)
CHECKED_BOX = re.compile(r"^\W*?\[[xX✓✔]\]\s*(.+)$", re.M)

INLINE_LIST = re.compile(r"(?<=\S) +(?=\([A-Z]\) [\w✗✘✓✔✅☑❌✕×☒])|(?<=[.;!]) +(?=[A-Z](?: ?[:–—-]|\? ))")
WEIGHT = re.compile(
    r"\b([A-Z])\b\)?\s*(?:[:=(]|is|at|with|-)?\s*(\d+(?:\.\d+)?)\s*(%|/\s*(?:5|100?)\b|)\)?"
    r"|(\d+(?:\.\d+)?)\s*% (?:for |on )?\(?([A-Z])\b\)?"
)
WEIGHT_FILLER = re.compile(
    r"\b(?:probabilit(?:y|ies)|confidences?|likelihoods?|scores?|distribution|my|the|option|choice|and|are|is"
    r"|likely|estimates?|with)\b",
    re.I,
)


def alternatives(rows: tuple[Wording, ...]) -> str:
    """The patterns of a table as alternatives."""
    return "|".join(f"(?:{row.pattern})" for row in rows)


STATED = re.compile(
    rf"(?P<box>{alternatives(BOXES)})|(?P<correction>{alternatives(CORRECTIONS)})|{alternatives(STATEMENTS)}", re.I
)
APPROVED = re.compile(
    r"(?:(?:^|[.!?,;:：，。；\n、]\s*|(?i:\b(?:option|choice|answer|statement|only|but|so|hence|thus|while|and|these|makes|leaves|"
    r"therefore|opción|opcion|opzione|opção|alternativa|option|lettre|letra|вариант|la|el|le|die|das|il|o|de"
    r"|a letra)\s+)|"
    rf"(?i:{NOUNS})\s+|"
    r"(?:الخيار|الإجابة|विकल्प)\s+|(?<=[\u0e00-\uffff])\s?|[(（]\s*)[(（]?(?:(?<=ption )(?P<number>[1-9])"
    r"|(?P<letter>[A-Za-z]))[)）]?"
    rf"(?i:{alternatives(APPROVALS)}))"
)
DENIED_AFTER = re.compile(rf"^[\s)）]*(?:{alternatives(DENIALS)})", re.I)
DENIED_BEFORE = re.compile(rf"{WORD_BEGIN}(?:{DENYING}){WORD_END}\s*(?:(?:{BETWEEN}){WORD_END}\s*)*[(（]?$", re.I)
IS_UNASSERTED = re.compile(alternatives(UNASSERTED), re.I)
POSSIBLE_TOO = re.compile(
    r"\b([A-Z])\b\)? (?:could|might|may|can) (?:also |well |just as well )?be"
    r"(?: (?:the )?(?:right|correct|true|answer|possible|plausible|valid|argued|it|too|as well)\b|\s*[.,;!]|\s*$)"
)
# fmt: off
YES_NO = frozenset((
    "yes", "no", "true", "false", "是", "否", "不", "不是", "对", "错", "はい", "いいえ", "예", "아니오",
    "네", "oui", "non", "sí", "si", "да", "нет", "ja", "nein", "sì", "نعم", "لا",
))  # fmt: on
SEVERAL_BEFORE = re.compile(r"(?<![\w'])[A-Z]\)?\s*(?:(?:and|or|nor|&|/)\s+|[かとや、或和与])\(?$")
"""Before the letter of an approval ("both A and B seem right")."""
CONCEDED = re.compile(
    r"(?:^|[.!?;,\n]\s*)(?:(?:even though|although|though|despite|in spite of|while)\b"
    r"|(?:at first |initially |originally |i (?:first |initially )?thought )+)[^,.!?;\n]*$",
    re.I,
)
"""Before a mention: what a clause concedes, or what was thought first, is not what it asserts."""
CLAUSE_DENIED = re.compile(
    r"[^,;]*?\b(?:(?:is|are|was|were|does|did|do|can|could|has|have|be)\s+(?:not|never)|\w+n't|cannot|(?:is|are) no"
    r"|except|other than|apart from)\b",
    re.I,
)
"""After a mention: its own verb is denied, or an exception follows."""
IMPROBABLE = re.compile(
    r"\b(?:unlikely|improbable|doubtful|impossible|hardly|might|may|could|possibl[ey]|perhaps|maybe)\b", re.I
)
FOREIGN_DENIAL = re.compile(
    r"(?<!\w)(?:n'\w+|ne|pas|aucune?|ni|tampoco|ningun[ao]?|ningún|sin|kein\w*|nicht|non|não|nem|niet|geen|nie"
    r"|не|нет|ни|"
    r"değil|không|bukan|tidak|ليس\w*|لا|لم|غير)(?!\w)|아니|아닙|않|없|못|不|没|沒|无|無|非|ない|なく|ません|ไม่|नहीं|নয়",
    re.I,
)
"""A sentence of another language with such a word names a choice without asserting it."""
TOTAL_AFTER = re.compile(r"(\d+)(?: \w+)? (?:in total|altogether|in all)\b", re.I)
HEDGED = re.compile(
    r"\b(?:but|although|though|or|maybe|perhaps|possibly|alternatively)\b(?! not\b)[^.!?\n]*?"
    r"(?:\(([A-Z])\)|(?<=\s)([A-HJ-Z])(?=[\s.,;!?]|$))"
)
CLOSING = re.compile(r"(?:(?<!so )(?<!nor )(?<!neither )(?<!as )\bis|\bbe|=|:)\s*[(\"]?(?P<letter>[A-Z])[)\"]?[.!]*$")
CONNECTED = re.compile(
    r"(?:(?=(?:so|hence|thus|therefore)\b)|.*?(?<!\w)(?:[\w']{2,}|[)\"])\s*(?:[,;]|→|->)\s*)"
    r"(?P<so>(?:so|hence|thus|therefore)\s+)?(?:(?:option|choice|answer)\s+)?[(\"]?(?P<letter>(?-i:[A-Z]))[)\"]?[.!]*$",
    re.IGNORECASE,
)
THEREFORE = re.compile(
    r"(?:^|(?<=[,;] ))(?:therefore|so|thus|hence|overall|in conclusion|in total|altogether|finally)\b|因此|所以",
    re.IGNORECASE,
)
