"""Pieces of Markdown that the reference is made of."""

from collections.abc import Iterable, Sequence

NOTE = "<!-- Written from the code by `make reference`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A whole page: the note that nobody should edit it, its title and its parts, with blank lines between them."""
    return "\n\n".join((NOTE, f"# {title}", *(part.strip("\n") for part in parts))) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code; empty if there is none."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Several texts as code, with commas between them."""
    return ", ".join(map(code, texts))


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"
