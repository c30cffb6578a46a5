"""One cleaning of replies for every scorer, export and trace: `clean_reply` returns what a model answered.

Removed are thinking, channel marks, JSON around an answer, markdown, restated reasoning steps, and all before the last
"Answer:". The words of the answer are not changed. Cleaning a cleaned reply changes nothing.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from aurelia_core.answers.languages import NOUNS

_MAX_PASSES = 4
_MAX_JSON_CHARS = 20_000
_MIN_STEP_WORDS = 3


class ThinkingMark(NamedTuple):
    """How a maker's models mark their thinking: opening and closing mark (regular expressions), and a source."""

    opening: str
    closing: str
    maker: str
    source: str


_TAG = (
    r"(?:[a-z_]+[:_])?(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis|rationale|inner_monologue|"
    r"thought_process)"
)
THINKING_MARKS = (
    ThinkingMark(
        rf"<{_TAG}\b[^<>]*>", rf"</{_TAG}>", "DeepSeek, Qwen, ByteDance Seed, LG", "vllm/reasoning/*_parser.py"
    ),
    ThinkingMark(r"<details\b[^<>]*>", "</details>", "Open WebUI", "open-webui backend/open_webui/utils/middleware.py"),
    ThinkingMark("◁think▷", "◁/think▷", "Moonshot Kimi-VL, Kimi-Dev", "VLMEvalKit vlmeval/vlm/kimi_vl.py"),
    ThinkingMark(r"\[THINK\]", r"\[/THINK\]", "Mistral Magistral", "vllm/reasoning/mistral_reasoning_parser.py"),
    ThinkingMark(
        r"<\|START_THINKING\|>", r"<\|END_THINKING\|>", "Cohere", "vllm/reasoning/cohere_command_reasoning_parser.py"
    ),
    ThinkingMark(
        r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>", "NovaSky Sky-T1", "the model card of Sky-T1-32B-Preview"
    ),
    ThinkingMark(r"<\|channel>", r"<channel\|>", "Google Gemma 4", "vllm/reasoning/gemma4_reasoning_parser.py"),
    ThinkingMark("<unused94>", "<unused95>", "Google MedGemma", "the model card of MedGemma 1.5"),
    ThinkingMark(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", "Apertus", "vllm/reasoning/apertus_reasoning_parser.py"),
    ThinkingMark(
        r"^\s*Here(?:'s| is) my thought process:",
        r"Here(?:'s| is) my response:",
        "IBM Granite",
        "vllm/reasoning/granite_reasoning_parser.py",
    ),
    # The special tokens of gpt-oss's channels, removed by a decoder that skips them.
    ThinkingMark(r"^\s*analysis(?=[A-Z])", r"assistant\s*final", "OpenAI gpt-oss", "vllm issue 22403"),
)

ANSWER_MARKS = (
    # (opening, closing, source). Of several answers the last one counts.
    (r"<(?:final_)?answer\b[^<>]*>", r"</(?:final_)?answer\b[^<>]*>", "the prompt of DeepSeek-R1"),
    (r"<(?:option|choice)>", r"</(?:option|choice)>", "own"),
    (r"<tool_call>", r"</tool_call>", "the chat template of Qwen"),
    (r"\[answer\]", r"\[/answer\]", "tests/data/choice_replies.jsonl"),
    (r"<conclusion>", r"</conclusion>", "the prompt of LLaVA-CoT"),
    (r"<final>", r"</final>", "own"),
    (r"<(?:output|response|solution|result)>", r"</(?:output|response|solution|result)>", "own"),
    (r"<\|begin_of_solution\|>", r"<\|end_of_solution\|>", "the model card of Sky-T1-32B-Preview"),
    (r"<\|begin_of_box\|>", r"<\|end_of_box\|>", "the model card of GLM-4.5V"),
    (r"<\|START_RESPONSE\|>", r"<\|END_RESPONSE\|>", "vllm/reasoning/cohere_command_reasoning_parser.py"),
    (r"\[BEGIN FINAL RESPONSE\]", r"\[END FINAL RESPONSE\]", "the model card of Apriel-1.5-15b-Thinker"),
)

MARKDOWN = (
    # (pattern, replacement, what it is)
    (r"^```\w*[ \t]*\n(.*?)\n?[ \t]*```[ \t]*$", r"\1", "a code fence"),
    (r"~~[^~\n]+~~", "", "words that are struck out"),
    (r"\[([^\[\]\n]+)\]\(https?://[^()\s]*\)", r"\1", "a link"),
    (r"</?(?:b|i|u|em|strong|p|span|mark|h\d)\b[^<>]*>|<br\s*/?>", "", "HTML"),
    (r"^[ \t]*\|[-:|\s]+\|[ \t]*$\n?", "", "the rule of a table"),
    (r"^[ \t]*\|(.*)\|[ \t]*$", r"\1", "a row of a table"),
    (r"(?<!\d)\*+|\*+(?!\d)", "", "emphasis"),
    (r"(?<!\w)_+(?=\w)([^_\n]+)_+(?!\w)", r"\1", "emphasis"),
    (r"==(?=\S)([^=\n]+)==", r"\1", "a highlight"),
    (r"`", "", "code"),
    (r"^[ \t]*#+[ \t]+", "", "a heading"),
    (r"^(?:[ \t]*>)+[ \t]?", "", "a quotation"),
)

_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)(?=<\|(?:end|return|call|start"
    r"|channel)\|>|\Z)",
    re.S,
)
# To combine flags at each use takes as long as a short pattern.
_ACROSS_LINES = re.S | re.I
_BY_LINES = re.M | re.I
_SPECIAL_TOKEN = re.compile(r"<\|[^|<>]*\|>|<(?:unused\d+|eos|bos|end_of_turn|eoa|eoh|/?s)>")
_SINGLE_QUOTE = re.compile(r"(?<=[{,:\[\s])'|'(?=\s*[},:\]])")
_ENDING_JSON = re.compile(r":\s*\n\s*(\{.*\})\s*\Z", re.S)
_FENCED = re.compile(r"```\w*\s*([\[{].*?[\]}])\s*```", re.S)
_ANSWER_KEY = re.compile(
    r"answer|choice|option|prediction|predicted|label|select|response|result|final|output|caption|description"
    r"|verdict|"
    r"conclusion|pick|letter|reply|答案|^text$"
)
_OTHER_KEY = re.compile(
    r"reason|expla|thought|think|analysis|rational|justif|confiden|score|probab|steps?\b|evidence|reject|wrong"
    r"|incorrect|"
    r"exclu|elimin|other|question|choices|options|initial|first|draft|alternat|uncertain|is_correct|note|comment"
)
_FIRST_KEY = re.compile(r"final")
_HEADING = re.compile(
    r"(?:(?:^|(?<=[\s.>#]))(?:(?:[Tt]he|[Mm]y|[Ss]o|[Ff]inal|FINAL|[Cc]orrect|[Bb]est|[Ss]hort) )*"
    r"(?:Answer|ANSWER|[Ff]inal [Aa]nswer|[Ff]inal [Rr]esponse|[Ff]inal [Cc]aption)"
    rf"|^[^\w\n]*(?i:(?:(?:final|the|my|short|correct) )*(?:answer|caption|response|{NOUNS})))"
    r"[ \t]*[:：][ \t]*(?=\s*\S)"
    r"|^\W*(?:Final )?Answer[ \t]*\n(?=\s*\S)",
    re.M,
)
_AFTERWORD = re.compile(
    r"\n\s*\W*(?:explanation|reasoning|justification|rationale|notes?|confidence|evidence)\W*[:\n]", re.I
)
_NEXT_TURN = re.compile(r"\n\s*(?:#+\s*)?(?:question|user|human|q)\s*:", re.I)
_TAKEN_BACK = re.compile(r"\b(?:wait|actually|correction|on second thought|scratch that)\b", re.I)
_STEPS_HEADING = re.compile(
    r"^\W*(?:(?:the|my|these|following|reasoning|step-by-step|given)\s+)*(?:steps|reasoning|plan)\b[^:\n]{0,60}:\s*$",
    re.I | re.M,
)
_NUMBERED_LINE = re.compile(r"\s*(?:step\s*)?(\d{1,2})\s*[.):]\s+\S", re.I)
_STEP_NUMBER = r"(?:^[ \t]*|(?<=\s))?(?:(?:step\s*)?\d{1,2}\s*[.):]\s*|[-•]\s*)?"
_BOXED = re.compile(
    r"\s*(?:\$+|\\\[|\\\()?\s*\\(?:boxed|fbox|framebox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*(?:\$+|\\\]|\\\))?\s*\.?\s*"
)


def clean_reply(reply: str, steps: Sequence[str] = ()) -> str:
    """The answer in a reply, in the reply's own words; "" for a reply that was cut off in its thinking.

    Args:
        reply: a model's reply.
        steps: the reasoning steps that the model was given. Restated ones are removed, unless nothing else is left.
    """
    text = reply
    for _ in range(_MAX_PASSES):
        before = text
        text = _without_thinking(text)
        text = _unwrap_json(text)
        text = _without_markdown(text)
        text = _without_steps(text, steps)
        text = _last_answer(text).strip()
        if text == before:
            break
    return text


def is_json_reply(reply: str) -> bool:
    """Whether a reply, apart from its thinking, is JSON, in a code fence or not."""
    text = _without_thinking(reply).strip()
    return _load_json(_json_text(text)) is not None


def _without_thinking(text: str) -> str:
    channels = _CHANNEL.findall(text)
    if channels:
        text = "".join(content for name, content in channels[-1:] if name == "final")
    for opening, closing, *_ in THINKING_MARKS:
        text = re.sub(rf"(?:{opening}).*?(?:{closing}|\Z)", "", text, flags=_ACROSS_LINES)
        text = re.sub(rf"^.*(?:{closing})", "", text, flags=_ACROSS_LINES)
    return _SPECIAL_TOKEN.sub(" ", _marked_answer(text)).strip()


def _marked_answer(text: str) -> str:
    """The content of the last answer mark; an unclosed mark is one only where no closed one is."""
    for opening, closing, _ in ANSWER_MARKS:
        opened = list(re.finditer(opening, text, re.I))
        for start in reversed(opened):
            closed = re.compile(closing, re.I).search(text, start.end())
            if closed:
                text = text[start.end() : closed.start()]
                break
        else:
            if opened:
                text = text[opened[-1].end() :]
    return text


def _json_text(text: str) -> str:
    """The JSON of a reply that is JSON, or ends in a fence with JSON or in JSON after a line with a colon; else ""."""
    fenced = _FENCED.findall(text)
    if fenced:
        return str(fenced[-1])
    if text[:1] + text[-1:] in ("{}", "[]"):
        return text
    if ending := _ENDING_JSON.search(text):
        return ending[1]
    return ""


def _load_json(text: str) -> Any:
    """The object or list of objects in a text, or None; names and texts may have single quotes, as in Python."""
    if not text or len(text) > _MAX_JSON_CHARS:
        return None
    for candidate in (text, _SINGLE_QUOTE.sub('"', text)):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) or (isinstance(found, list) and any(isinstance(item, dict) for item in found)):
            return found
    return None


def _unwrap_json(text: str) -> str:
    """The answer of a JSON reply; the text unchanged if it is no JSON, or has no answer or several."""
    found = _load_json(_json_text(text))
    if found is None:
        return text
    return _answer_value(found) or text


def _answer_value(found: Any) -> str | None:
    """The one answer in a JSON value: by a key that names an answer, else by the only key that names nothing else."""
    if isinstance(found, list) and len(found) == 1:
        return _answer_value(found[0])
    if isinstance(found, str | int | float) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("arguments"), dict):
        found = found["arguments"]
    other = [name for name in found if _OTHER_KEY.search(_key(name))]
    named = [name for name in found if name not in other and _ANSWER_KEY.search(_key(name))]
    final = [name for name in named if _FIRST_KEY.search(_key(name))]
    names = final or named
    if not names:
        names = [name for name in found if name not in other and len(_key(name)) > 1]
        if len(names) > 1:
            return None
    values = list(dict.fromkeys(_answer_value(found[name]) for name in names))
    if None in values or not values:
        return None
    return _joined(*sorted(map(str, values), key=len))


def _joined(letter: str, text: str = "", *more: str) -> str | None:
    """One value, or a letter with its text; None for other values. A number beside a text counts from 0 or from 1."""
    if more or not text:
        return None if more else letter
    if letter.isdigit() and not text.isdigit():
        return text
    if len(letter) == 1 and letter.isalpha():
        return f"{letter}. {text}"
    return None


def _key(name: object) -> str:
    return unicodedata.normalize("NFKC", str(name)).casefold().replace(" ", "_").replace("-", "_")


def _without_markdown(text: str) -> str:
    for pattern, replacement, _ in MARKDOWN:
        text = re.sub(pattern, replacement, text, flags=_ACROSS_LINES | re.M if "```" in pattern else _BY_LINES)
    boxed = _BOXED.fullmatch(text)
    # A box around one word is a statement that the rules for choices read.
    if boxed and len(boxed[1].split()) > 1:
        return boxed[1].strip()
    return text


def _without_steps(text: str, steps: Sequence[str]) -> str:
    """The text without restated steps: those that were given, or a numbered list before a last paragraph."""
    left = text
    folded = _folded(text)
    for step in steps:
        words = step.split()
        # Few replies restate a step, and to compile one costs more than all the rest of the cleaning.
        if len(words) >= _MIN_STEP_WORDS and _folded(step) in folded:
            wording = r"\s+".join(map(re.escape, words))
            left = re.sub(rf"{_STEP_NUMBER}{wording}(?:[ \t]*Finding:[^\n]*)?", "", left, flags=_BY_LINES)
            folded = _folded(left)
    if left != text:
        left = re.sub(r"^\W*Suggested answer:[^\n]*$", "", left, flags=_BY_LINES)
        left = _STEPS_HEADING.sub("", left)
    if not re.search(r"\w", left):
        return text
    return _after_numbered_list(left)


def _folded(text: str) -> str:
    """The text without differences that a pattern of its words ignores: white space, case, and the Turkish i."""
    return " ".join(text.split()).casefold().replace("i\u0307", "i").replace("ı", "i")


def _after_numbered_list(text: str) -> str:
    """The last paragraphs of a text that begins with a numbered list from 1; any other text unchanged."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    numbers: list[int] = []
    at = 0
    for at, paragraph in enumerate(paragraphs):
        lines = paragraph.splitlines()
        found = [int(match[1]) for line in lines if (match := _NUMBERED_LINE.match(line))]
        heading = not found and at == 0 and paragraph.rstrip().endswith(":")
        if not found and not heading:
            break
        if found and not (_NUMBERED_LINE.match(lines[0]) or lines[0].rstrip().endswith(":")):
            return text
        numbers += found
    else:
        return text
    if len(numbers) < 2 or numbers != list(range(1, len(numbers) + 1)):
        return text
    return "\n\n".join(paragraphs[at:])


def _last_answer(text: str) -> str:
    """What follows the last "Answer:", up to an explanation; nothing is cut where the text takes something back."""
    turn = _NEXT_TURN.search(text)
    if turn and text[: turn.start()].strip():
        text = text[: turn.start()]
    headings = list(_HEADING.finditer(text))
    if not headings:
        return text
    text = text[headings[-1].end() :]
    after = _AFTERWORD.search(text)
    if after and text[: after.start()].strip() and not _TAKEN_BACK.search(text, after.end()):
        text = text[: after.start()]
    return text
