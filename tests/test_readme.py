"""The README and ARCHITECTURE say what is so."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.schema import keys
from fleetmeter_exporter.scraper import Scraper
from support.exposition import parse, total
from support.store import StoreAddress

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MOST_LINES = 150


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_it_is_short() -> None:
    """What it is, a picture, two commands, ten lines, why not something else, where next; the rest is in docs/."""
    assert len(README.splitlines()) <= MOST_LINES


def test_ten_lines_count_across_processes(server: EmbeddedStore, store: StoreAddress, tmp_path: Path) -> None:
    """The README's first example, run twice, adds up to what the README shows."""
    (example,) = re.findall(r"```python\n(import fleetmeter\nfrom prometheus_client.*?)```", README, re.DOTALL)
    program = tmp_path / "count.py"
    program.write_text(example)
    for _ in range(2):
        subprocess.run([sys.executable, str(program)], env={**os.environ, **store.environ}, check=True)
    text = Scraper.of(store.url, [store.namespace]).scrape()
    for line in re.findall(r"^(?:orders|revenue)\S* \S+$", README, re.MULTILINE):
        assert f"\n{line}\n" in text.decode()
    assert total(parse(text), "revenue_usd_total") == 39.98


def test_key_table_is_the_one_of_the_code() -> None:
    """ARCHITECTURE shows the keys as keys.py documents them."""
    code: list[list[str]] = []
    for key, kind, meaning in table_rows(keys.__doc__ or ""):
        if key or kind:
            code.append([key, kind, meaning])
        else:  # the row above goes on
            code[-1][2] += f" {meaning}"
    text = (ROOT / "ARCHITECTURE.md").read_text()
    shown = [cells for cells in table_rows(text) if cells[0].startswith("`<tag>")]
    assert shown == [row for row in code if row[0].startswith("`<tag>")]
