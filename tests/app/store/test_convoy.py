"""Questions that share a call: how many, how large, and what becomes of them when a call fails or all ends."""

import asyncio
from collections.abc import Sequence

import pytest

from fleetmeter_app.store.convoy import Convoy


class Post:
    """Answers each text in capitals, and keeps what came together; one that has `bad` in it fails as a whole."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def send(self, questions: Sequence[str]) -> list[str]:
        """One call."""
        self.calls.append(list(questions))
        await asyncio.sleep(0)
        if "bad" in questions:
            raise LookupError("bad")
        return [question.upper() for question in questions]


def test_what_is_asked_during_a_call_shares_the_next() -> None:
    """One call at a time, with as many questions as it may have; everybody gets the own answer."""
    post = Post()

    async def run() -> None:
        convoy = Convoy(post.send, most=3)
        assert await asyncio.gather(*(convoy.ask(text) for text in "abcdefg")) == list("ABCDEFG")

    asyncio.run(run())
    assert post.calls == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


def test_a_call_has_so_many_bytes_or_one_question() -> None:
    """A question that is too large for all calls goes alone, and those that fit together go together."""
    post = Post()

    async def run() -> None:
        convoy = Convoy(post.send, bytes_of=len, most_bytes=4)
        await asyncio.gather(*(convoy.ask(text) for text in ("aa", "bb", "c", "toolarge", "d", "e")))

    asyncio.run(run())
    assert post.calls == [["aa", "bb"], ["c"], ["toolarge"], ["d", "e"]]


def test_a_call_that_fails_concerns_those_who_shared_it() -> None:
    """They all get its error; who waits for the next call has an answer."""
    post = Post()

    async def run() -> None:
        convoy = Convoy(post.send, most=2)
        found = await asyncio.gather(*(convoy.ask(text) for text in ("a", "bad", "c")), return_exceptions=True)
        assert [type(answer) for answer in found] == [LookupError, LookupError, str]

    asyncio.run(run())


def test_at_the_end_nobody_waits_for_ever() -> None:
    """`idle` has all answered, `close` cancels those who wait, and so does a call that is cancelled."""

    async def hang(questions: Sequence[str]) -> list[str]:
        await asyncio.Event().wait()
        return list(questions)

    async def run() -> None:
        post = Post()
        working = Convoy(post.send, most=1)
        asked = [asyncio.create_task(working.ask(text)) for text in "ab"]
        await asyncio.sleep(0)
        await working.idle()
        assert await asyncio.gather(*asked) == ["A", "B"]
        hanging = Convoy(hang, most=1)
        waiting = [asyncio.create_task(hanging.ask(text)) for text in "ab"]
        await asyncio.sleep(0.01)
        await hanging.close()
        for task in waiting:
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
