"""The connections to upstreams: one pool per process, no retries, no reading of what goes through."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

import fleetmeter
from fleetmeter_app.config.deployments import Deployment
from fleetmeter_app.transport.failures import UpstreamFailure, failure_of_error

log = logging.getLogger("fleetmeter.app")

PATHS = {"chat.completions": "/chat/completions", "responses": "/responses", "embeddings": "/embeddings"}
"""Where each endpoint is below a base URL."""

_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
_IDLE_SECONDS = 20.0
"""Connections are closed after so long without use, before servers and what stands in between close them."""


class Reply:
    """An upstream's answer, whose body is still to be read; `close` ends it in the middle if need be."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, to be asked in any case."""
        return self._response.headers

    @property
    def is_event_stream(self) -> bool:
        """Whether the body is a stream of events."""
        return self._response.content_type == "text/event-stream"

    async def read(self, most_bytes: int) -> bytes:
        """The whole body; raises `UpstreamFailure` if it breaks off or is larger than that."""
        try:
            if (self._response.content_length or 0) <= most_bytes:
                body = bytearray()
                async for part in self._response.content.iter_any():
                    body += part
                    if len(body) > most_bytes:
                        break
                else:
                    return bytes(body)
        except _ERRORS as error:
            raise failure_of_error(error) from error
        finally:
            self._response.release()
        self.close()
        raise UpstreamFailure(
            "APIResponseValidationError",
            reason="upstream_error",
            status=200,
            message=f"the answer has more than {most_bytes} bytes",
            answered=True,
        )

    async def beginning(self, most_bytes: int, seconds: float) -> bytes:
        """What comes of the body in this time, up to so many bytes; a body that breaks off is no failure of its own."""
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                async for part in self._response.content.iter_any():
                    body += part
                    if len(body) > most_bytes:
                        break
        except _ERRORS as error:
            log.debug("the body of an error broke off after %d bytes: %s", len(body), type(error).__name__)
        self.close()
        return bytes(body)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises `UpstreamFailure` if it breaks off."""
        try:
            async for part in self._response.content.iter_any():
                yield part
        except _ERRORS as error:
            raise failure_of_error(error) from error

    def close(self) -> None:
        """End the answer: the connection is closed unless all of it was read."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class UpstreamClient:
    """Calls deployments. Made inside the event loop; `close` ends the connections."""

    def __init__(self, connect_seconds: float, timeout_seconds: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            headers={"user-agent": f"fleetmeter-app/{fleetmeter.__version__}"},
            read_bufsize=2**18,
        )
        self.expect(connect_seconds, timeout_seconds)
        self._urls: dict[tuple[str, str], tuple[URL, URL | None]] = {}

    def expect(self, connect_seconds: float, timeout_seconds: float) -> None:
        """How long an upstream may take to be reached, and how long it may be silent."""
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=timeout_seconds)

    async def post(self, deployment: Deployment, endpoint: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request; raises `UpstreamFailure` if no answer begins. It follows no redirect: keys stay."""
        url, proxy = self._address(deployment, endpoint)
        try:
            response = await self._session.post(
                url,
                data=body,
                headers={
                    "authorization": f"Bearer {deployment.api_key}",
                    "content-type": "application/json",
                    "accept-encoding": "identity",
                    **headers,
                },
                timeout=self._timeout,
                allow_redirects=False,
                proxy=proxy,
            )
        except _ERRORS as error:
            raise failure_of_error(error) from error
        return Reply(response)

    def _address(self, deployment: Deployment, endpoint: str) -> tuple[URL, URL | None]:
        key = (deployment.base_url, endpoint)
        found = self._urls.get(key)
        if found is None:
            base = URL(deployment.base_url)
            url = base.with_path(base.path.rstrip("/") + PATHS[endpoint], keep_query=True)
            proxy = None if proxy_bypass(base.host or "") else getproxies().get(base.scheme)
            found = self._urls[key] = (url, URL(proxy) if proxy else None)
        return found

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
