"""Connections that find their node by themselves, and notice when that node no longer has the data."""

import ssl
from contextlib import suppress
from typing import Any

import redis
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AskError, ClusterDownError, MasterDownError, MovedError, ReadOnlyError

from fleetmeter.connection.address import Node
from fleetmeter.connection.discovery import Finder


class _Watchful:
    """A connection to the node that its finder names. It is opened anew once that node turned out not to have the data.

    Without a finder it goes to its fixed host. Opening it anew helps there, too: the name may lead to another node.
    """

    host: str
    port: int

    def __init__(self, *, finder: Finder | None = None, **options: Any) -> None:
        self._finder = finder
        self._stale = False
        self._opened = self._answered = False
        super().__init__(**options)

    def connect(self) -> None:
        """Open the connection, if it is closed or its node no longer has the data."""
        if self._stale:
            self.disconnect()  # type: ignore[attr-defined]  # as every connection of redis-py has it
            self._stale = False
        self._opened = False
        self._answered = self._answered and bool(self._sock)  # type: ignore[attr-defined]
        fresh = not self._sock  # type: ignore[attr-defined]
        try:
            super().connect()  # type: ignore[misc]
            if not self._answered:
                self._greet()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            advice = advice_for(error, isinstance(self, SSLConnection), self._opened)
            if advice and isinstance(self, Connection) and type(error) in (redis.ConnectionError, redis.TimeoutError):
                raise type(error)(f"{error}; {advice}") from error
            raise
        if fresh and self._finder is not None and self._finder.must_be_master:
            self.send_command("ROLE")  # type: ignore[attr-defined]
            role = self.read_response()[0]
            if role not in (b"master", "master"):
                self._finder.distrust()
                self.disconnect()  # type: ignore[attr-defined]
                raise redis.ConnectionError(f"{self.host}:{self.port} is no master any more")

    def _greet(self) -> None:
        """Wait for a first answer, so that trouble with a connection shows when it is made, together with advice.

        Without it, a refused client certificate would show only with the first call, as TLS 1.3 refuses it after the
        handshake. HELLO fits, because every user may call it, and a store that does not know it answers all the same.
        """
        self.send_command("HELLO", 2, check_health=False)  # type: ignore[attr-defined]
        with suppress(redis.ResponseError):
            self.read_response()

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """The next reply. If it says that the data is elsewhere, this connection is not used any more."""
        try:
            reply = super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self._answered = True
            self._stale |= leaves(error, self._finder, getattr(self, "host", ""))
            raise
        self._answered = True
        return reply

    def _connect(self) -> Any:
        if self._finder is not None:
            self.host, self.port = self._finder.find()
        try:
            opened = super()._connect()  # type: ignore[misc]
        except OSError:
            if self._finder is not None:
                self._finder.distrust()
            raise
        self._opened = True
        return opened


class WatchfulConnection(_Watchful, Connection):
    """Over TCP."""


class WatchfulSSLConnection(_Watchful, SSLConnection):
    """Over TLS."""


class WatchfulUnixConnection(_Watchful, UnixDomainSocketConnection):
    """Over a unix socket."""


def is_elsewhere(error: Exception) -> bool:
    """Whether a store answered that it did nothing, because another node has the data."""
    return isinstance(error, MovedError | ReadOnlyError) or "-READONLY " in str(error)  # Redis 6 wraps a script's error


def node_of(error: AskError, host: str) -> Node:
    """The node that a store names. `host` is the store's own: an empty name means that one."""
    return error.host or host, int(error.port)


def leaves(error: redis.ResponseError, finder: Finder | None, host: str) -> bool:
    """Whether an answer ends the use of a connection to `host`. The finder learns what the answer says."""
    if not (is_elsewhere(error) or isinstance(error, ClusterDownError | MasterDownError)):
        return False
    if finder is not None:
        if isinstance(error, MovedError):
            finder.learn(node_of(error, host))
        else:
            finder.distrust()
    return True


def advice_for(error: redis.RedisError, tls: bool, opened: bool) -> str:
    """Advice for a connection that failed; empty if there is none.

    `opened` says whether the connection had been opened (with TLS: after the handshake) when the trouble came.
    """
    if not tls:
        ended = opened and not isinstance(error, redis.TimeoutError)
        return "if that is a TLS port, the URL must begin with rediss:// or valkeys://" if ended else ""
    if opened:
        return "if the store wants a client certificate, ssl_certfile and ssl_keyfile must name one from a CA it trusts"
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "ssl_ca_certs must name the file of the CA that signed the store's certificate"
    if isinstance(cause, ssl.SSLError | TimeoutError):
        return "perhaps that port speaks no TLS: use the store's TLS port, or a URL with redis:// or valkey://"
    return ""
