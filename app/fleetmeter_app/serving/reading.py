"""An answer read to its end."""

from fleetmeter_app.caching.cache import Reply


async def read_all(reply: Reply) -> bytes:
    """All bytes of an answer."""
    try:
        return b"".join([chunk async for chunk in reply.chunks])
    finally:
        await reply.chunks.aclose()
