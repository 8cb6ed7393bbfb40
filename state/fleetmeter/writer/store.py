"""The door to Redis: the one place where a writer's calls leave this process."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from fleetmeter.connection.client import followed, translated
from fleetmeter.connection.credentials import Credentials
from fleetmeter.lua import lua_source
from fleetmeter.schema.definition import MAX_SERIES
from fleetmeter.schema.keys import STATE_FORMAT, Keys, split_note
from fleetmeter.schema.rows import PACKS
from fleetmeter.writer.directory import Directory
from fleetmeter.writer.messages import Answer, Apply, Hello
from fleetmeter.writer.upkeep import ScriptCall, Upkeep
from fleetmeter.writer.wire import Body, encode


class Store(Upkeep):
    """The calls of a writer, sent to one store. Every method raises `StoreUnreachable` or `StoreRefused`."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        max_series: int = MAX_SERIES,
        credentials: Credentials | None = None,
        *,
        packed: bool = True,
    ) -> None:
        super().__init__(url, keys, max_series, credentials, packed=packed)
        self._directory = Directory(max_series)
        self._hello = self._client.register_script(lua_source("hello"))
        self._apply = self._client.register_script(lua_source("apply"))

    def hello(self, call: Hello, identity: dict[str, str]) -> Answer:
        """Make a writer known, and say who it is."""
        with translated():
            return answer_of(self._run(*self.hello_call(call, identity)))

    def apply(self, call: Apply) -> Answer:
        """Send a batch, or a heartbeat."""
        with translated():
            return self._by_slot_or_name(call, lambda prepared: self._run(*prepared))

    def apply_and_wait(self, call: Apply, replicas: int, timeout: float) -> tuple[Answer, int]:
        """Send a batch or a heartbeat, then wait until that many store replicas have it, or `timeout` seconds.

        Returns the answer and how many replicas have it, which may be fewer or more. Unless the answer is `applied`,
        nothing was written that could be waited for, and the count is 0 at once. A replica that has this write has
        every earlier one of the same store.
        """

        def exchange() -> tuple[Answer, int]:
            one: Any = self._client.client()  # type: ignore[no-untyped-call]  # redis leaves it untyped

            def send(prepared: ScriptCall) -> Any:
                script, keys, arguments = prepared
                return script(keys=keys, args=arguments, client=one)

            with one:  # one connection: WAIT is about what was written on its own
                answer = self._by_slot_or_name(call, send)
                return answer, self._wait(one, replicas, timeout) if answer.status == "applied" else 0

        with translated():
            return followed(exchange)

    def _wait(self, client: Any, replicas: int, timeout: float) -> int:
        """WAIT in pieces, each shorter than the client would wait for an answer."""
        longest = float(self._client.connection_pool.connection_kwargs["socket_timeout"]) / 2
        deadline = monotonic() + timeout
        while True:
            left = deadline - monotonic()
            reached = int(client.wait(replicas, max(1, int(min(left, longest) * 1000))))
            if reached >= replicas or left <= longest:
                return reached

    def hello_call(self, call: Hello, identity: dict[str, str]) -> ScriptCall:
        """A hello as it is sent."""
        keys = [self.keys.writers, self.keys.writer(call.writer), self.keys.retired]
        head = (call.writer, call.epoch, STATE_FORMAT, call.heard_us, " ".join(call.lives))
        return self._hello, keys, [*head, *(text for pair in identity.items() for text in pair)]

    def _by_slot_or_name(self, call: Apply, send: Callable[[ScriptCall], Any]) -> Answer:
        """Send a batch by the slots that are known. If they are out of date, nothing was changed: send it by name."""
        directory = self._directory
        known = directory.of(call.writer)
        for tries in (known, known, None):  # another layout may be out of date a moment later
            body = encode(call.delta, self.keys, tries)
            answer = answer_of(send(self._apply_call(call, body)))
            if answer.status != "stale":
                break
            directory.forget(answer.stale)
        if answer.status == "applied":
            directory.learn(body.asked, answer.learned, body.proven)
            directory.go_on(answer.grown)
        elif answer.status != "already":
            directory.forget()
        return answer

    def apply_call(self, call: Apply) -> ScriptCall:
        """A batch or a heartbeat as it is sent, all by name."""
        return self._apply_call(call, encode(call.delta, self.keys))

    def _apply_call(self, call: Apply, body: Body) -> ScriptCall:
        state = "goodbye" if call.goodbye else PACKS if self.packed else "alive"
        numbers = (call.prev, call.prev_token, call.seq, call.token, call.given_up)
        head = (call.epoch, call.writer, *numbers, state, self.max_series)
        return self._apply, list(body.keys), [*head, *body.arguments]


def answer_of(reply: list[bytes]) -> Answer:
    """What hello and apply replied."""
    status, row, given_up, token, epoch, now, *more = (item.decode("utf-8", "replace") for item in reply)
    notes: dict[str, list[str]] = {}
    for kind, text in zip(more[1::2], more[2::2], strict=True):
        notes.setdefault(kind, []).append(text)
    identity, *words = epoch.split(" ")
    return Answer(
        status=status,
        row=int(row),
        given_up=int(given_up or 0),
        token=token,
        epoch=identity,
        store_now_us=int(now),
        deliberate="reset" in words,
        refused=tuple(notes.get("refused", ())),
        refused_count=int(more[0]) if more else 0,
        undefined="undefined" in notes,
        overflowed=tuple(
            (key, int(count)) for count, _, key in (text.partition(" ") for text in notes.get("overflow", ()))
        ),
        conflicts=tuple(
            (field, text.decode()) for field, text in (split_note(note.encode()) for note in notes.get("conflict", ()))
        ),
        stale=tuple(notes.get("stale", ())),
        learned=tuple(notes.get("learned", ())),
        grown=tuple(notes.get("grown", ())),
    )
