"""One answer that is being made: its flight, the task that makes it, and whom it saves a call."""

import asyncio
from contextvars import Context, copy_context

from fleetmeter.llm import record_cost_savings
from fleetmeter.pricing import Cost
from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.flight import Flight, Made, closed


class Making:
    """A flight, the task that makes it, and whom it saves a call."""

    def __init__(self, most_bytes: int) -> None:
        self.task: asyncio.Future[None] = asyncio.Future()  # until there is a task
        self.found = False
        self.flight = Flight(most_bytes, self.give_up)
        self._savers: list[tuple[Context, str]] = []
        self._settled = False

    def give_up(self) -> None:
        """End it: who still reads it gets `Abandoned`."""
        self.task.cancel()

    async def replay(self, entry: Entry) -> None:
        """Hand on what the store had."""
        self.flight.begin(entry.facts.status, entry.facts.content_type)
        await self.flight.add(entry.body)
        self._end(entry.facts)

    async def take(self, made: Made) -> Facts | None:
        """Hand on what is being made; what it is in the end, or None if it must not be kept."""
        self.flight.begin(made.status, made.content_type)
        try:
            async for chunk in made.chunks:
                await self.flight.add(chunk)
        finally:
            await closed(made.chunks)
        facts = made.facts()
        self._end(facts)
        return facts

    def saves(self, intent: str) -> None:
        """Somebody needs no call of their own; what that saves is recorded as theirs, now or when it is known."""
        if self._settled:
            self._record(copy_context(), intent)
        else:
            self._savers.append((copy_context(), intent))

    def _end(self, facts: Facts | None) -> None:
        self.flight.end(facts)
        self._settled = True
        for context, intent in self._savers:
            self._record(context, intent)
        self._savers.clear()

    def _record(self, context: Context, intent: str) -> None:
        facts = self.flight.facts
        if facts is not None and facts.nanodollars is not None:
            context.run(record_cost_savings, intent, Cost(facts.nanodollars).usd, "prompt_cache")
