"""A client of the store whose calls have a time limit; the log tells when the store goes, and when it is back."""

import logging
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import redis

from fleetmeter.connection.client import translated
from fleetmeter.connection.client_async import connect_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.errors import SettingError, StoreError
from fleetmeter_app.store.patience import within

log = logging.getLogger("fleetmeter.app")

T = TypeVar("T")


class Link:
    """Calls the store through `client`. Opens nothing before the first call.

    `timeout` is what one call may take, connecting included, in seconds in which this process listened. `user` names
    who uses the store, for an error; `gone` and `back` are the lines of the log. Raises `SettingError` for a URL that
    the library's own client takes and the asynchronous one does not.
    """

    def __init__(
        self,
        url: str,
        key: str,
        credentials: Credentials | None,
        *,
        timeout: float,
        connections: int,
        user: str,
        gone: str,
        back: str,
    ) -> None:
        self._timeout = timeout
        self._gone = gone
        self._back = back
        self.away = False
        """Whether the last call failed."""
        # the client's own limit counts wall time, and only ends a connection that hangs: ours comes first
        self.client = connect_async(url, key, credentials, 4 * timeout, connections)
        try:
            # opens none, but takes every parameter of the URL
            self.client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        except TypeError as error:
            problem = str(error).rpartition("() ")[2]
            raise SettingError("FLEETMETER_REDIS_URL", f"{user} cannot use it: {problem}") from error

    async def replies(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The reply of each command, sent together; a `ResponseError` is one. It has less to do than a pipeline.

        Has no time limit: `answer` and `attempt` give it one.
        """
        pool: Any = self.client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            return [await _reply(connection) for _ in commands]
        except BaseException:  # replies that nobody has read may be left in it
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    async def answer(self, call: Awaitable[T]) -> T:
        """What a call returns. Raises `StoreError`: if no answer came, the store may have done it all the same.

        The first failure is told in the log, and so is the first answer after it.
        """
        try:
            reply = await self.attempt(call)
        except StoreError as error:
            if not self.away:
                log.warning("%s: %s", self._gone, error)
            self.away = True
            raise
        if self.away:
            log.warning("%s", self._back)
        self.away = False
        return reply

    async def attempt(self, call: Awaitable[T]) -> T:
        """As `answer`, and tells nobody."""
        with translated():
            try:
                return await within(self._timeout, call)
            except TimeoutError as error:
                raise redis.TimeoutError(f"it had {self._timeout:g} s") from error

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except redis.ResponseError as error:
        return error
