"""The client of a replica, made when it is first needed: it belongs to the event loop that runs then."""

from fleetmeter_app.config.limits import UpstreamCalls
from fleetmeter_app.transport.client import UpstreamClient


class Upstreams:
    """Holds the one client of a process, with the times that are in force."""

    def __init__(self, config: UpstreamCalls) -> None:
        self._config = config
        self._client: UpstreamClient | None = None

    def client(self) -> UpstreamClient:
        """The client."""
        if self._client is None:
            self._client = UpstreamClient(self._config.connect_seconds, self._config.timeout_seconds)
        return self._client

    def expect(self, config: UpstreamCalls) -> None:
        """Other times are in force for requests from now on."""
        self._config = config
        if self._client is not None:
            self._client.expect(config.connect_seconds, config.timeout_seconds)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
