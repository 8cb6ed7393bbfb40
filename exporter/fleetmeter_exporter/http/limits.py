"""How much a client may take of the exporter: connections, bytes and seconds."""

import resource
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Limits:
    """What the server holds every client to. Byte and second counts are per connection."""

    connections: int = 512
    """Open at once, handshakes included. Above it the one that waits longest goes: nobody can lock Prometheus out."""
    header_bytes: int = 16 * 1024
    """Of one request's line and headers: Prometheus sends less than 1 KiB, a long `name[]` list some more."""
    body_bytes: int = 64 * 1024
    """Of a request's body, which is read only to be thrown away: nothing here takes one."""
    header_seconds: float = 10.0
    """For a TLS handshake, and again for a whole request header: as long as a scrape may take by default."""
    idle_seconds: float = 150.0
    """Between two requests: two and a half of Prometheus' default scrape intervals, so that it keeps its connection."""
    stall_seconds: float = 20.0
    """In which a reader has to take `chunk_bytes`: longer than TCP needs to send again what was lost a few times."""
    response_seconds: float = 120.0
    """For a whole response: no Prometheus waits that long, whatever its scrape timeout is set to."""
    linger_seconds: float = 2.0
    """In which a client that was refused may read why, before its connection goes."""
    grace_seconds: float = 20.0
    """For running requests after SIGTERM: less than the 30 s after which Kubernetes kills."""
    chunk_bytes: int = 128 * 1024
    """That may wait for a reader in this process, and again in the kernel, beside the response itself: 512 readers that
    take nothing hold 128 MiB, where the kernel would give them 2 GiB; 5 MB go out as fast as without it."""

    @classmethod
    def of_process(cls) -> Self:
        """The defaults, with connections for at most half of the files that this process may open."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = cls.connections if files == resource.RLIM_INFINITY else min(cls.connections, files // 2)
        return cls(connections=most)
