"""Hooks of the documentation site: pages from outside of `docs/`, and links that work on site and repository alike.

The Markdown files of the repository link to each other by relative paths. On the site, README.md is the start page, and
a few more files have a page (`PAGES`). A link to another file of the repository becomes plain text, because the site
does not hold the code. A link to a file that does not exist stays as it is, so that the strict build fails.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "aurelia_offline/targets/mini/README.md": "results/model-card.md",
}
"""Files outside of `docs/` that have a page: path in the repository -> path on the site."""

_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s]+)(?=\))|(?<=<img src=\")(?P<image>[^\"]+)(?=\")")
_TEXT_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of `docs/`."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page for the site."""
    origin = repository_path(page.file.src_uri)
    unlinked = _TEXT_LINK.sub(lambda link: _without_code_link(link, origin), markdown)
    return _LINK.sub(lambda link: site_link(link[0], origin, page.file.src_uri), unlinked)


def repository_path(page: str) -> str:
    """Path in the repository of the file behind a page of the site."""
    for source, name in PAGES.items():
        if name == page:
            return source
    return f"docs/{page}"


def site_link(target: str, origin: str, page: str) -> str:
    """The link of a page to `target`, a path relative to the file `origin` of the repository."""
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return target
    linked = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    destination = PAGES.get(linked)
    if destination is None and linked.startswith("docs/"):
        destination = linked.removeprefix("docs/")
    if destination is None:
        return target
    return posixpath.relpath(destination, posixpath.dirname(page) or ".") + mark + anchor


def _without_code_link(link: re.Match[str], origin: str) -> str:
    path = link["target"].partition("#")[0]
    if not path or ":" in path:
        return link[0]
    linked = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    if linked in PAGES or linked.startswith("docs/") or not (ROOT / linked).exists():
        return link[0]
    return link["text"]
