"""`python -m fleetmeter_docs` writes the pages of `docs/reference`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleetmeter_docs import commands, families, interface, settings

FOLDER = Path(__file__).parents[1] / "reference"


def texts() -> Mapping[str, str]:
    """The text of each page by its file's name."""
    pages = {"metrics": families, "settings": settings, "commands": commands, "python": interface}
    return {f"{name}.md": module.page() for name, module in pages.items()}


def differing() -> list[str]:
    """The pages that are not what the code says, and those that are left over, by file name."""
    wanted = texts()
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write them all, or with `--check` only compare; the exit status."""
    parser = argparse.ArgumentParser(prog="fleetmeter_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if a page is not what the code says")
    if parser.parse_args(arguments).check:
        old = differing()
        sys.stderr.writelines(
            f"docs/reference/{name} is not what the code says; run `make reference`\n" for name in old
        )
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
