"""Programs that serve their own page of prometheus_client's multiprocess mode: it goes on, and shows the fleet."""

import sys
from pathlib import Path

import pytest

from support.processes import LAUNCHER, PROGRAMS, finish
from support.store import StoreAddress

PROGRAM = str(PROGRAMS / "own_page.py")
FIRST = {
    'own_jobs_total{kind="done"} 23.0', 'own_jobs_total{kind="early"} 2.0', "own_level 23.0", "own_size_count 2.0",
    "own_size_sum 23.0", 'own_size_bucket{le="1.0"} 0.0', 'own_size_bucket{le="10.0"} 1.0',
    'own_size_bucket{le="+Inf"} 2.0',
}  # fmt: skip


def pages(store: StoreAddress, folder: Path, *words: str) -> tuple[list[set[str]], str]:
    """What the program's pages show, one after the other, and what it wrote to its log."""
    start = [*LAUNCHER, sys.executable] if words[0] == "launched" else [sys.executable]
    ended = finish([*start, PROGRAM, *words], store, PROMETHEUS_MULTIPROC_DIR=str(folder))
    assert ended.returncode == 0, ended.stderr
    return [set(line.split(";")) for line in ended.stdout.splitlines()], ended.stderr


def test_the_page_shows_what_it_always_did(store: StoreAddress, tmp_path: Path) -> None:
    """Without fleetmeter the program shows this: the numbers that the others are held against."""
    shown, said = pages(store, tmp_path, "stock")
    assert (shown[0], said) == (FIRST, "")
    assert 'own_jobs_total{kind="done"} 27.0' in shown[1]


@pytest.mark.parametrize("way", ["installed", "launched"])
def test_the_page_is_the_fleets(way: str, store: StoreAddress, tmp_path: Path) -> None:
    """Both processes' numbers are there, those of before the installation, too; the next scrape has the next ones."""
    shown, said = pages(store, tmp_path, way)
    assert (shown[0], said) == (FIRST, "")
    assert {'own_jobs_total{kind="done"} 27.0', "own_size_count 3.0", "own_level 27.0"} <= shown[1]


def test_uninstalled_it_is_the_files_again(store: StoreAddress, tmp_path: Path) -> None:
    """What this process counted, and counts from then on, is in its file, which the stock collector reads."""
    shown, _ = pages(store, tmp_path, "installed")
    assert 'own_jobs_total{kind="done"} 120.0' in shown[2]  # its own 20, and 100: the children's are in the store


def test_without_the_exporter_one_line_says_where_the_numbers_are(store: StoreAddress, tmp_path: Path) -> None:
    """The page then shows what the files hold; the warning comes once, however often it is asked for."""
    shown, said = pages(store, tmp_path, "installed", "alone")
    assert 'own_jobs_total{kind="early"} 2.0' in shown[0]
    (line,) = said.splitlines()
    assert "scrape fleetmeter-exporter instead" in line
