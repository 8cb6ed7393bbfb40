"""A plan that goes wrong, with nothing that does not matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from fuzz.formats.plan import Plan


def shortened(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan without deeds that can go while it still fails: first many at a time, then one by one."""
    size = max(1, len(plan.deeds) // 2)
    while size:
        for shorter in _without(plan, size):
            if fails(shorter):
                plan = shorter
                break
        else:
            size //= 2
    return plan


def text_of(plan: Plan) -> str:
    """A plan for a person."""
    used = sorted({deed.family for deed in plan.deeds if deed.what not in ("flush", "scrape")})
    lines = [f"{plan.form}, created={plan.created}, bound={plan.bound}"]
    lines += [f"family {place} of replica {at}: {one}" for place in used for at, one in enumerate(plan.families[place])]
    return "\n".join([*lines, *map(str, plan.deeds)])


def _without(plan: Plan, size: int) -> Iterator[Plan]:
    *deeds, last = plan.deeds  # the last scrape stays
    for start in range(0, len(deeds), size):
        yield replace(plan, deeds=(*deeds[:start], *deeds[start + size :], last))
