"""Several reads at one instant, each with a reply of its own: one that cannot be given does not cost the others."""

from collections.abc import Sequence
from typing import Any, cast

import redis

Command = tuple[str | bytes | int, ...]


def read_together(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that are run in one MULTI/EXEC, as the store sends them: hashes as flat lists.

    A command that was run and failed has its error in the place of its reply. Raises redis-py's errors if nothing
    was run at all. redis-py's own pipeline makes a dict of each hash, and one failure an error of them all.
    """
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands([("MULTI",), *commands, ("EXEC",)]))
        refused: redis.ResponseError | None = None
        for _ in range(len(commands) + 1):
            refused = _refusal(connection) or refused
        replies = connection.read_response(disable_decoding=True)
    except redis.ResponseError as error:
        if not isinstance(error, redis.exceptions.ExecAbortError):
            connection.disconnect()  # EXEC itself was refused: the transaction is open for whoever comes next
        raise refused or _cause_of(error) from None
    except BaseException:
        connection.disconnect()  # what is still to come on it would be taken for the answer to something else
        raise
    finally:
        pool.release(connection)
    if refused is not None:
        raise refused
    return cast("list[Any]", replies)


def _cause_of(error: redis.ResponseError) -> redis.ResponseError:
    """The error of EXEC, as what it is: a user that may not call it is told so inside another error's text."""
    _, nopermission, rest = str(error).partition("NOPERM ")
    return redis.exceptions.NoPermissionError(rest) if nopermission else error


def _refusal(connection: Any) -> redis.ResponseError | None:
    """Why the next reply is no 'OK' or 'QUEUED'."""
    try:
        connection.read_response(disable_decoding=True)
    except redis.ResponseError as error:
        return error
    return None
