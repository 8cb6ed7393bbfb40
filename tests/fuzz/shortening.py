"""A story that goes wrong, told with nothing that does not matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pprint import pformat
from typing import Any

from fuzz.namespace import Namespace
from fuzz.story import Story


def shortened(story: Story, fails: Callable[[Story], bool]) -> Story:
    """The story without moments, namespaces, definitions and fields that can go while it still fails."""
    found = True
    while found:
        found = False
        for shorter in _shorter(story):
            if fails(shorter):
                story, found = shorter, True
                break
    return story


def text_of(story: Story) -> str:
    """A story for a person."""
    lines = [f"{story.form}, created={story.created}, asked={story.asked}"]
    for place, moment in enumerate(story.moments):
        for namespace in moment:
            lines.append(f"moment {place}, namespace {namespace.name!r}, rows {namespace.rows}")
            lines += [f"    {stored}" for stored in namespace.definitions]
            lines += [f"    numbers of {name!r}: {pformat(raw)}" for name, raw in namespace.numbers.items()]
            lines += [f"    gauges: {pformat(namespace.gauges)}"] if namespace.gauges else []
            lines += [f"    exemplars: {pformat(namespace.exemplars)}"] if namespace.exemplars else []
    return "\n".join(lines)


def _shorter(story: Story) -> Iterator[Story]:
    for place in range(len(story.moments)):
        if len(story.moments) > 1:
            yield replace(story, moments=_without(story.moments, place))
    if len(story.moments[0]) > 1:
        for place in range(len(story.moments[0])):
            yield replace(story, moments=tuple(_without(moment, place) for moment in story.moments))
    for place in range(len(story.asked)):
        yield replace(story, asked=_without(story.asked, place))
    for when, moment in enumerate(story.moments):
        for where, namespace in enumerate(moment):
            for smaller in _smaller(namespace):
                changed = (*moment[:where], smaller, *moment[where + 1 :])
                yield replace(story, moments=(*story.moments[:when], changed, *story.moments[when + 1 :]))


def _smaller(namespace: Namespace) -> Iterator[Namespace]:
    for place in range(len(namespace.definitions)):
        yield replace(namespace, definitions=[d for at, d in enumerate(namespace.definitions) if at != place])
    for name, raw in namespace.numbers.items():
        rest = {other: numbers for other, numbers in namespace.numbers.items() if other != name}
        yield replace(namespace, numbers=rest)
        for field in raw:
            numbers = {other: text for other, text in raw.items() if other != field}
            yield replace(namespace, numbers={**namespace.numbers, name: numbers})
    for field in namespace.gauges:
        yield replace(namespace, gauges={other: text for other, text in namespace.gauges.items() if other != field})
    for field in namespace.exemplars:
        rest_of_them = {other: text for other, text in namespace.exemplars.items() if other != field}
        yield replace(namespace, exemplars=rest_of_them)


def _without(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*items[:place], *items[place + 1 :])
