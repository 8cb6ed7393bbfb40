"""The documents of the project, and the code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md", "prometheus/runbook.md")
"""Documents outside `docs/`."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document, and the line on which its text begins."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, as editors understand it."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every document, by its path in the repository."""
    return [*TOP, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


def text_of(page: str) -> str:
    """What a document says."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(*languages: str) -> Iterator[Block]:
    """The blocks of these languages, or all, in the order of the documents."""
    for page in pages():
        text = text_of(page)
        for match in _FENCE.finditer(text):
            if not languages or match["language"] in languages:
                line = text.count("\n", 0, match.start("text")) + 1
                yield Block(page, line, match["language"], dedent(match["text"]))


def spans(page: str) -> Iterator[str]:
    """The pieces of code inside a document's sentences and tables, each on one line."""
    for match in _SPAN.finditer(_FENCE.sub("", text_of(page))):
        yield " ".join(match[1].split())
