"""A store that is far away: each way takes a while, whatever is sent."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def far_away(url: str, round_trip: float) -> Iterator[str]:
    """The URL of a relay to a store at a `unix://` URL, which holds everything up for half a round trip (seconds)."""
    path, ports = urlsplit(url).path, list[int]()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    writers: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(1 << 16):
                loop.call_later(round_trip / 2, writer.write, piece)
            await asyncio.sleep(round_trip)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(path)
        writers.extend((writer, far_writer))
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    async def serve(stop: asyncio.Event) -> None:
        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        for writer in writers:
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # the transports' own ends

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(stop),))
    thread.start()
    ready.wait()
    try:
        yield f"redis://127.0.0.1:{ports[0]}/0"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
