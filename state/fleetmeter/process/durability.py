"""Durable blocks: when the block ends, its records are in the store, or `NotDurable` is raised."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from fleetmeter.errors import BlockError, NotDurable, SettingError
from fleetmeter.excerpt import quoted
from fleetmeter.process.installation import current

if TYPE_CHECKING:
    from fleetmeter.process.runtime import Runtime
    from fleetmeter.values.blocks import AtomicBlock


class Durable:
    """One durable block, for `with` or `async with`; made by `durable`. It can be used again after it has ended."""

    def __init__(self, timeout: float, replicas: int) -> None:
        self._timeout = timeout
        self._replicas = replicas
        self._runtime: Runtime | None = None
        self._block: AtomicBlock | None = None

    def __enter__(self) -> Self:
        runtime = current()
        if runtime is None:
            return self
        if self._block is not None or runtime.accumulator.in_block:
            raise BlockError(
                "durable() was called inside a block of atomic() or durable(), and records are added only when the "
                "outer block ends; make the outer block the durable one"
            )
        self._runtime, self._block = runtime, runtime.accumulator.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runtime = self._commit()
        if runtime is not None:
            _report(error, runtime.confirm(self._timeout, self._replicas))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runtime = self._commit()
        if runtime is not None:  # in another thread, so that the event loop goes on
            import asyncio

            _report(error, await asyncio.to_thread(runtime.confirm, self._timeout, self._replicas))

    def _commit(self) -> "Runtime | None":
        """Add what was recorded."""
        runtime, self._runtime = self._runtime, None
        block, self._block = self._block, None
        if runtime is not None and block is not None:
            runtime.accumulator.commit(block)
        return runtime


def durable(timeout: float = 5.0, replicas: int = 0) -> Durable:
    """A block whose records are in the store when it ends; for `with` and for `async with`.

    What this thread or task records inside is added together at the block's end, as with `atomic()`. The end waits
    until the store acknowledges it, for `timeout` seconds at most; with `async with` it waits in a thread. With
    `replicas` it also waits until that many store replicas have it (WAIT), so that a failover to one of them
    loses nothing.

    Raises `NotDurable` if that was not confirmed in time. The records are kept and sent later, so do not record them
    again. If the block's body raises, that exception goes on, with a note if the records were not confirmed; the
    records made before it are added and sent all the same. Raises `BlockError` inside another block, and `SettingError`
    for an argument that cannot be used. Without `install()` it does nothing.
    """
    if not _is_number(timeout) or not 0 <= timeout <= 3600:
        raise SettingError("timeout", f"{quoted(timeout)} is no duration; expected seconds, from 0 to 3600")
    if not _is_number(replicas, whole=True) or replicas < 0:
        raise SettingError("replicas", f"{quoted(replicas)} is no number of replicas; expected a whole number from 0")
    return Durable(timeout, replicas)


def _is_number(argument: object, *, whole: bool = False) -> bool:
    """Whether an argument is a number at all: a caller may have read it from anywhere."""
    return isinstance(argument, int) or (not whole and isinstance(argument, float))


def _report(error: BaseException | None, failure: NotDurable | None) -> None:
    """Raise a failure; if the block has raised something already, add the failure to that."""
    if failure is None:
        return
    if error is None:
        raise failure
    error.add_note(f"fleetmeter: {failure}")
