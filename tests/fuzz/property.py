"""The property: whatever a namespace holds, and whatever becomes of it, the exposition says it and nothing else."""

from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.fleet import Scrape
from fuzz.comparison import Chunk, Different, check, masked, own_value
from fuzz.expected import UNCOMPARED, Expected, expected
from fuzz.story import Story


def check_story(story: Story) -> list[Chunk]:
    """What is shown at last, after everything at each moment was found right; else raises `Different`.

    At every moment the text with kept parts is that without, byte by byte; at the last one it is held against what it
    has to say.
    """
    exposition = Exposition(story.form, created=story.created)
    scrapes: list[Scrape] = []
    text = b""
    for moment in story.moments:
        before: list[Scrape | None] = [*scrapes] or [None] * len(moment)
        scrapes = [namespace.scrape(last) for namespace, last in zip(moment, before, strict=True)]
        text = exposition.text(scrapes, 0.0)
        fresh = Exposition(story.form, created=story.created).text([namespace.scrape() for namespace in moment], 0.0)
        if masked(text) != masked(fresh):
            raise Different(f"with parts of the scrape before:\n{text.decode()}\nwithout:\n{fresh.decode()}")
    wanted = expected([namespace.scrape() for namespace in story.moments[-1]], story.form, created=story.created)
    chunks = check(text.decode(), wanted)
    _check_own(text.decode(), scrapes, wanted)
    if story.asked:
        names = _names(story, wanted)
        again = [namespace.scrape(last) for namespace, last in zip(story.moments[-1], scrapes, strict=True)]
        check(exposition.text(again, 0.0, names).decode(), wanted.restricted(names))
    return chunks


def _check_own(text: str, scrapes: list[Scrape], wanted: Expected) -> None:
    """How many samples there are, and what is missing, is told."""
    errors = [{what: reason for what, (reason, _) in scrape.errors.items()} for scrape in scrapes]
    if errors != wanted.errors:
        raise Different(f"noted is {errors}, and should be {wanted.errors}")
    met = sum(len(set(wrong.values())) for wrong in errors)
    told = own_value(text, "fleetmeter_last_scrape_error")
    if told != met:
        raise Different(f"fleetmeter_last_scrape_error tells of {told} reasons, there are {met}")
    if own_value(text, "fleetmeter_scrape_series") != wanted.samples:
        raise Different(f"fleetmeter_scrape_series is not {wanted.samples}")


def _names(story: Story, wanted: Expected) -> list[str]:
    """Names of samples to ask for; and now and then one that is not there."""
    known = sorted({sample.name for metric in wanted.metrics for sample in metric.samples} - set(UNCOMPARED))
    return [(*known, "nothing")[number % (len(known) + 1)] for number in story.asked]
