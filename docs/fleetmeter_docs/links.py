"""The links of Markdown files, and the places that they lead to.

A page is shown in two ways: as a file of the repository, by whatever hosts it, and as a page of the site. Links are
written for the first. The site has the files of `docs/` under their own names, and every other file that a page links
to below `repository/`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import normpath, relpath
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
DOCS = "docs"
OUTSIDE = "repository"
"""The folder of the site for files from outside `docs/`."""

_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2`*\s*?$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(\s*<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A link in the file `page`; paths are relative to the repository. `path` is empty for an anchor of the page."""

    page: str
    path: str
    anchor: str
    image: bool = False

    @property
    def target(self) -> str:
        """The file that it leads to."""
        return self.path or self.page


def links(page: str, text: str) -> Iterator[Link]:
    """Every link of a page to a file of the repository or to an anchor. What is code holds no links."""
    for match in _LINK.finditer(without_code(text)):
        found = _link(page, match[3], image=bool(match[1]))
        if found is not None:
            yield found


def without_code(text: str) -> str:
    """The text with spaces in the place of code, so that everything else stands where it stood."""
    for pattern in (_FENCE, _SPAN):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def place(path: str) -> str:
    """Where the site has a file of the repository."""
    inside = PurePosixPath(path).is_relative_to(DOCS)
    return str(PurePosixPath(path).relative_to(DOCS)) if inside else f"{OUTSIDE}/{path}"


def file_of(place_: str) -> str:
    """The file of the repository that the site has there; the opposite of `place`."""
    head, _, tail = place_.partition("/")
    return tail if head == OUTSIDE else f"{DOCS}/{place_}"


def for_the_site(page: str, text: str) -> str:
    """A page's text with links as the site needs them: from the page's place to the target's."""
    code = without_code(text)
    parts, end = [], 0
    for match in _LINK.finditer(code):
        found = _link(page, match[3], image=False)
        if found is None or not found.path:
            continue
        start, stop = match.span(3)
        there = relpath(place(found.path), PurePosixPath(place(page)).parent)
        parts += [text[end:start], there + (f"#{found.anchor}" if found.anchor else "")]
        end = stop
    return "".join((*parts, text[end:]))


def _link(page: str, text: str, *, image: bool) -> Link | None:
    if _ADDRESS.match(text):
        return None
    path, _, anchor = text.partition("#")
    if not path:
        return Link(page, "", anchor, image)
    return Link(page, normpath(PurePosixPath(page).parent / unquote(path)), anchor, image)
