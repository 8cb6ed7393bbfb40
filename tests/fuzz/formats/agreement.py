"""Holds the expositions of a plan's twins against each other, and what they show against what was recorded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from math import isclose, ulp

from fleetmeter.schema.definition import MAX_SERIES
from fleetmeter.schema.scale import Scale
from fuzz.comparison import Different, check, masked
from fuzz.expected import expected, shown_name
from fuzz.formats.drawing import made, scale
from fuzz.formats.plan import Plan
from fuzz.formats.sums import Sums, Total
from fuzz.formats.twins import Clock, Twin, done

REST = Fraction(2, 10**15)
"""What a batch with fractions may be off: a replica keeps less than 10^-15, and adds it to a float that comes later."""

_OWN = re.compile(r"(# (HELP|TYPE|UNIT) )?fleetmeter_")
_CREATED = re.compile('_created[ {"]')
_HEAD = re.compile(r"# TYPE ([^ ]+|\".*\") [a-z]+$")


@dataclass(frozen=True)
class Rules:
    """In what two lines may differ.

    A `loose` number may have other last digits. With layouts of both formats a series may be called older (`earlier`):
    one that came with its layout counts from the family's registration, although the other layout had a removal before.
    """

    clock: Clock
    loose: bool
    earlier: bool


def check_plan(plan: Plan, url: str) -> None:
    """Do the plan, and raise `Different` at the first scrape that is not the same in every format."""
    sums = Sums(plan)
    for deed, clock, twins in done(plan, url):
        sums.do(deed)
        if deed.what != "scrape":
            continue
        first, *others = twins.items()
        for other in others:
            _check_alike(plan, clock, first, other)
        if plan.bound == MAX_SERIES:
            _check_sums(plan, sums, twins["packed"])
        if len(clock.begun) == len(plan.deeds):
            for name, twin in others:
                _check_afresh(plan, name, twin)


def _check_afresh(plan: Plan, name: str, twin: Twin) -> None:
    """An exporter that follows a namespace says what one says that has just been started, and prometheus_client."""
    scrape, text = twin.afresh()
    if masked(text.encode()) != masked(twin.text.encode()):
        raise Different(f"{name}, with parts of the scrape before:\n{twin.text}\nwithout:\n{text}")
    check(text, expected([scrape], plan.form, created=plan.created))


def _check_alike(plan: Plan, clock: Clock, one: tuple[str, Twin], other: tuple[str, Twin]) -> None:
    """Line by line the same; numbers of a loose family may differ in their last digits."""
    (name, twin), (other_name, other_twin) = one, other
    errors, other_errors = _errors(twin), _errors(other_twin)
    if errors != other_errors:
        raise Different(f"{name} has {errors}, {other_name} {other_errors}")
    loose = {shown for place in plan.loose for shown in _shown_names(plan, place)}
    family = ""
    for line, other_line in zip_longest(_lines(twin.text), _lines(other_twin.text)):
        head = _HEAD.match(line or "")
        family = head[1] if head else family
        if line == other_line:
            continue
        rules = Rules(
            clock, loose=family in loose, earlier=other_name == "both" and _CREATED.search(line or "") is not None
        )
        if line and other_line and _same_line(rules, line, other_line):
            continue
        texts = ("\n".join(_lines(one.text)) for one in (twin, other_twin))
        raise Different(f"{name} has {line!r}, {other_name} {other_line!r} in\n" + "\nand\n".join(texts))


def _errors(twin: Twin) -> dict[str, str]:
    return {what: reason for what, (reason, _) in twin.scrape.errors.items()}


def _shown_names(plan: Plan, place: int) -> Iterator[str]:
    """How the family is called in the head of its lines."""
    metric = made(plan.families[place][0])
    for name in (metric._name, f"{metric._name}_total"):
        shown = shown_name(name, plan.form)
        yield shown
        yield '"' + shown.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") + '"'


def _lines(text: str) -> list[str]:
    """The lines without those of the exporter's own families."""
    return [line for line in text.split("\n") if not _OWN.match(line)]


def _same_line(rules: Rules, line: str, other: str) -> bool:
    """Whether two lines differ in nothing but the spelling of numbers, and in times that fall into the same deed.

    Such times are those of exemplars, and when a series came.
    """
    words, other_words = line.split(" "), other.split(" ")
    return len(words) == len(other_words) and all(
        word == other_word or _same_number(rules, word, other_word)
        for word, other_word in zip(words, other_words, strict=True)
    )


def _same_number(rules: Rules, word: str, other_word: str) -> bool:
    try:
        number, other = float(word), float(other_word)
    except ValueError:
        return False
    deed, other_deed = rules.clock.deed_at(number), rules.clock.deed_at(other)
    if deed is not None and other_deed is not None:
        return deed == other_deed or (rules.earlier and other_deed < deed)
    return number == other or (rules.loose and isclose(number, other, rel_tol=1e-9, abs_tol=1e-12))


def _check_sums(plan: Plan, sums: Sums, twin: Twin) -> None:
    """Packed families show every observation, and those without a unit the exact sum of what was handed over."""
    if twin.scrape.families is None:
        raise Different(f"nothing was read: {twin.scrape.errors}")
    for place, versions in enumerate(plan.families):
        metric = made(versions[0])
        source = twin.scrape.families.sources.get(metric._name)
        family = twin.scrape.family(source) if source is not None else None
        shown = {
            (one.suffix, frozenset(one.labels)): one.value for one in (family.samples if family is not None else ())
        }
        has_no_sum = any(version.bounds[:1] < (0,) for version in versions if version.bounds)
        for labels, total in sums.of(place) if metric._name not in twin.scrape.errors else ():
            value = shown.get(("_total" if versions[0].kind == "counter" else "_sum", labels))
            if value is None and has_no_sum:
                continue
            counted = shown.get(("_count", labels), total.count)
            if value is None or counted != total.count:
                raise Different(f"{metric._name}{dict(labels)} is {value} of {counted}, and should be {total}")
            if scale(versions[0]) == Scale.PLAIN and not _is(value, total):
                raise Different(f"{metric._name}{dict(labels)} is {value!r}, and should be {float(total.amount)!r}")


def _is(value: float, total: Total) -> bool:
    if not total.batches:
        return float(value) == float(total.amount)
    return abs(Fraction(value) - total.amount) <= REST * total.batches + Fraction(ulp(float(total.amount)))
