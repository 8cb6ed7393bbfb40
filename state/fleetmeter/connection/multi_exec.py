"""Several reads at one instant. Each has a reply of its own, so a read that fails does not spoil the others."""

from collections.abc import Sequence
from typing import Any, cast

import redis

Command = tuple[str | bytes | int, ...]


def read_together(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that are run in one MULTI/EXEC, as the store sends them: hashes as flat lists.

    If a command was run and failed, its error stands in the place of its reply. Raises redis-py's errors if nothing
    was run at all. redis-py's own pipeline will not do: it makes a dict of each hash, and raises one command's error
    instead of giving the other replies.
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
            connection.disconnect()  # EXEC itself was refused: the next user would find an open transaction
        raise refused or _cause_of(error) from None
    except BaseException:
        connection.disconnect()  # replies that still come would be taken for answers to later commands
        raise
    finally:
        pool.release(connection)
    if refused is not None:
        raise refused
    return cast("list[Any]", replies)


def _cause_of(error: redis.ResponseError) -> redis.ResponseError:
    """The true error of EXEC. If the user may not call EXEC, redis-py has NOPERM only inside another error's text."""
    _, nopermission, rest = str(error).partition("NOPERM ")
    return redis.exceptions.NoPermissionError(rest) if nopermission else error


def _refusal(connection: Any) -> redis.ResponseError | None:
    """The error that came instead of 'OK' or 'QUEUED'; None if there is none."""
    try:
        connection.read_response(disable_decoding=True)
    except redis.ResponseError as error:
        return error
    return None
