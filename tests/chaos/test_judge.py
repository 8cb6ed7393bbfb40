"""Who judges must find what there is to find."""

from chaos.judge import Judge, Scrape
from chaos.ledger import NUMBERS, difference, summed
from chaos.table import Result, table

COUNTS = """# TYPE chaos_left_total counter
chaos_left_total {left}
# TYPE chaos_right_total counter
chaos_right_total {right}
"""


def scrape(left: float, right: float, *, up: int = 1, epoch: int = 7, held: int = 0, behind: int = 0) -> Scrape:
    """A scrape of two counters."""
    return Scrape.parse(
        f"fleetmeter_up {up}\nfleetmeter_state_epoch_timestamp_seconds {epoch}\n"
        f"fleetmeter_snapshot_held {held}\nfleetmeter_counts_behind {behind}\n" + COUNTS.format(left=left, right=right)
    )


def judged(*scrapes: Scrape) -> Judge:
    """A judge that has seen these, a second apart."""
    judge = Judge()
    for at, found in enumerate(scrapes):
        judge.take(found, at)
    return judge


def test_growing_counts_are_right() -> None:
    """Nothing is found where nothing is wrong."""
    judge = judged(scrape(1, 1), scrape(1, 1), scrape(2, 2))
    assert (judge.scrapes, judge.decreases, judge.torn) == (3, [], [])


def test_a_count_that_goes_down_or_away_is_found() -> None:
    """Between any two scrapes that showed it, whatever was in between."""
    assert len(judged(scrape(2, 2), scrape(0, 0, up=0), scrape(1, 2, behind=1)).decreases) == 1
    for gone in ("fleetmeter_up 1\n", "fleetmeter_up 1\nfleetmeter_state_epoch_timestamp_seconds 7\n"):
        assert len(judged(scrape(2, 2), Scrape.parse(gone)).decreases) == 2


def test_a_new_epoch_begins_anew_and_is_counted() -> None:
    """Everybody can see that the counts began again."""
    judge = judged(scrape(9, 9), scrape(1, 1, epoch=8), scrape(2, 2, epoch=8))
    assert (judge.epochs, judge.decreases) == (2, [])


def test_halves_that_differ_are_torn() -> None:
    """Unless the exporter says that numbers are held at what was served."""
    assert len(judged(scrape(2, 1)).torn) == 2
    assert not judged(scrape(2, 1, behind=1), scrape(2, 1, held=1), scrape(0, 0, up=0)).torn
    histogram = '# TYPE chaos_seconds histogram\nchaos_seconds_bucket{le="+Inf"} 3\nchaos_seconds_count 2\n'
    found = Scrape.parse("fleetmeter_up 1\nfleetmeter_counts_behind 0\nfleetmeter_snapshot_held 0\n" + histogram)
    assert len(judged(found).torn) == 1


def test_the_longest_hold_is_measured() -> None:
    """From the first scrape that is held to the first that is not, or shows nothing."""
    held = [scrape(1, 1), scrape(1, 1, held=1), scrape(1, 1, held=1), scrape(1, 1), scrape(1, 1, held=1)]
    assert judged(*held).longest_hold == 2.0
    assert judged(scrape(1, 1, held=1), scrape(0, 0, up=0), scrape(1, 1, held=1), scrape(1, 1)).longest_hold == 1.0


def test_a_result_tells_its_problems() -> None:
    """A unit too few, a loss that nobody counted, an epoch too many, a fault that nobody met: each is told."""
    ledger = summed([dict.fromkeys(NUMBERS, 3)])
    export = {**ledger, "nanodollars": 2}
    result = Result(
        "x", 1, 3, sum(ledger.values()), sum(export.values()), difference(ledger, export), 0, 1, {"internal": 1},
        5, 0, ["down"], ["torn"], 0.0, 2, 1, ("behind",),
    )  # fmt: skip
    assert len(result.problems) == 7
    assert table([result]).count("PROBLEM") == 7
