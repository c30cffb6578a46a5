"""The report as one self-contained HTML page: no network, no other files.

Tables and figures are plain HTML and SVG. Questions are packed (gzip, base64) in blocks of data that the page's script
unpacks when a question is opened, so that a page with thousands of questions opens at once. A content security policy
in the page blocks all other scripts and all loading.

All text from records, models and files is made visible here (`escape_values`: invisible and direction-changing
characters). A clip is loaded only when its button is pressed, from a folder "media" beside the page. The template and
the page's script (`textContent`) escape HTML.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from aurelia.bench.run_file import ARMS
from aurelia.bench.tally import VERDICTS, AnswerVerdict
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES
from aurelia.report.rows import ReportRow
from aurelia_core.claims import CLAIM_VERDICTS
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command
from aurelia_core.sanitize import escape_invisible, shorten

QUESTIONS_PER_BLOCK = 40
MAX_LISTED_CHARS = 300
PictureLookup = Callable[[ReportRow], int | str | None]


class QuestionPacker:
    """Packs questions one by one; its memory grows by packed bytes only."""

    def __init__(self, picture: PictureLookup) -> None:
        """Starts empty.

        Args:
            picture: Gives the index of a question's entry among the clips, a text why it has none, or None.
        """
        self._picture = picture
        self._columns = list(ALL_COLUMN_TITLES)
        self._index: list[list[Any]] = []
        self._open: list[dict[str, Any]] = []
        self._chunks: list[str] = []
        self.categories: dict[str, int] = {}
        self.kinds: dict[str, int] = {}

    def add(self, run: int, row: ReportRow) -> None:
        """Packs one question of the run with this index."""
        picture = self._picture(row)
        clip: int | None = None
        no_media: str | None = None
        if isinstance(picture, str):
            no_media = picture
        else:
            clip = picture
        detail = escape_values(row.detail | {"no_media": no_media})
        verdicts = []
        answers = []
        for arm in ARMS:
            verdict: AnswerVerdict = "none"
            if arm in row.case.answers:
                verdict = row.case.answers[arm].verdict
            verdicts.append(VERDICTS.index(verdict))
            answers.append(shorten((detail["arms"].get(arm) or {}).get("answer") or "", MAX_LISTED_CHARS))
        self._index.append(
            [
                detail["id"],
                row.case.rollout,
                run,
                self._columns.index(row.case.column),
                _number(detail["category"], self.categories),
                *verdicts,
                clip,
                shorten(detail["question"], MAX_LISTED_CHARS),
                shorten(" / ".join(detail["answers"]), MAX_LISTED_CHARS),
                *answers,
                row.case.best_score,
                len(row.case.attempts),
                [_number(name, self.kinds) for name in detail["kinds"]],
                [sum(found == verdict for _, found in row.case.claims) for verdict in CLAIM_VERDICTS],
            ]
        )
        self._open.append(detail)
        if len(self._open) == QUESTIONS_PER_BLOCK:
            self._close()

    def _close(self) -> None:
        if self._open:
            self._chunks.append(pack_json(self._open))
            self._open = []

    def chunks(self, clips: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
        """All data blocks of the page: the index, the questions, the clips."""
        self._close()
        yield {"id": "index", "data": pack_json(self._index)}
        for number, chunk in enumerate(self._chunks):
            yield {"id": f"d{number}", "data": chunk}
        for number, clip in enumerate(clips):
            yield {"id": f"m{number}", "data": pack_json(escape_values(clip))}


def _number(name: str, known: dict[str, int]) -> int:
    """The number of a name among those that are known, to which it is added."""
    return known.setdefault(name, len(known))


def escape_values(value: Any) -> Any:
    """The same JSON value with every text in it, keys included, made visible."""
    if isinstance(value, str):
        return escape_invisible(value)
    if isinstance(value, Mapping):
        return {escape_invisible(str(name)): escape_values(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [escape_values(part) for part in value]
    return value


def pack_json(value: Any) -> str:
    """JSON, gzip, base64: an alphabet that cannot contain HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(text, 6, mtime=0)).decode("ascii")


def render_page(
    content: Mapping[str, Any],
    packer: QuestionPacker,
    clips: Sequence[Mapping[str, Any]],
    template: Literal["page.html", "answer.html"] = "page.html",
) -> Iterable[str]:
    """Renders the page; yields its text in parts.

    Args:
        content: What the template shows: title, names of the runs, tiles, tables, figures.
        packer: The questions.
        clips: The pictures.
        template: The report of runs, or the page of one answer.

    Raises:
        InputError: jinja2 is not installed.
    """
    page = load_template(template, "app.js")
    blocks = packer.chunks(clips)
    meta = {
        "columns": list(ALL_COLUMN_TITLES.values()),
        "categories": list(packer.categories),
        "names": [escape_invisible(name) for name in content["names"]],
        "marks": VERDICTS,
        "chunk": QUESTIONS_PER_BLOCK,
        "kinds": list(packer.kinds),
        "files": [escape_invisible(name) for name in content.get("files", [])],
        "live": content.get("live"),
    }
    shown = escape_values({name: value for name, value in content.items() if name != "figures"})
    figures = [figure._asdict() | {"svg": page.safe(figure.svg)} for figure in content["figures"]]
    parts: Iterable[str] = page.template.generate(
        **shown,
        figures=figures,
        columns=list(ALL_COLUMN_TITLES.values()),
        categories=[escape_invisible(name) for name in packer.categories],
        kinds=list(packer.kinds),
        meta=page.script_json(meta),
        chunks=blocks,
        **page.parts,
    )
    return parts


class PageTemplate(NamedTuple):
    """The template of a page, and the parts that every page has: script, style, and the hash of the script."""

    template: Any
    parts: dict[str, Any]
    safe: Any
    """Marks a text as HTML, which is not escaped."""

    def script_json(self, value: Any) -> Any:
        """JSON that cannot close the script element that contains it."""
        text = json.dumps(value, ensure_ascii=False)
        return self.safe(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def load_template(template: str, script: str) -> PageTemplate:
    """A template and a script of the folder `page`.

    Raises:
        InputError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise InputError(f"The HTML page needs jinja2: {install_command('bench')}.") from None
    folder = files("aurelia.report").joinpath("page")
    text, code, style = (folder.joinpath(name).read_text(encoding="utf-8") for name in (template, script, "style.css"))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    parts = {"script": Markup(code), "style": Markup(style), "script_hash": f"sha256-{digest}"}
    return PageTemplate(Environment(autoescape=True, undefined=StrictUndefined).from_string(text), parts, Markup)
