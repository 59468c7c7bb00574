"""A TCP proxy with faults, to put before a server: slow, silent, cut, refusing, or silent in the middle of an answer.

Its use:

    with TcpProxy(server.host, server.port) as proxy:
        proxy.delay(to_server=0.0025, to_client=0.0025)      # a network 5 ms away
        proxy.pause()                                        # nothing passes, connections stay open
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from closewatch.engines.closing import Closing
from closewatch.engines.folder import HOST, free_port
from closewatch.engines.process import EngineError

T = TypeVar("T")
_CHUNK = 65536


@dataclass(slots=True)
class Counts:
    """What has passed since the start or `reset_counts`.

    A round trip is a turn of the client's to speak: many messages sent at once are one, whatever the number of packets.
    """

    connections: int = 0
    round_trips: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0


@dataclass(slots=True, eq=False)
class _Link:
    """A client's connection and the one made for it to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    client_spoke: bool = False
    answered: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class TcpProxy(Closing):
    """A listening proxy. All methods may be called from any thread and act at once, on open connections too."""

    host = HOST

    def __init__(self, target_host: str, target_port: int) -> None:
        self.target = (target_host, target_port)
        self.port = free_port()
        self.counts = Counts()
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self._delays = (0.0, 0.0)
        self._answer_limit: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()
        self._flowing = self._call(asyncio.Event)
        self._call(self._flowing.set)
        self._await(self._listen())

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def delay(self, to_server: float = 0.0, to_client: float = 0.0) -> None:
        """Hold all data for so many seconds, in each direction. One delay each way makes half of a round trip."""
        self._delays = (to_server, to_client)

    def pause(self) -> None:
        """A black hole: new connections are accepted, open ones stay open, nothing passes."""
        self._call(self._flowing.clear)

    def resume(self) -> None:
        """Let data pass again, what was held back included."""
        self._call(self._flowing.set)

    def stop_answer_after(self, size: int | None) -> None:
        """Pass so many bytes of the server's answer, counted from now by connection, then nothing. None ends it."""

        def change() -> None:
            self._answer_limit = size
            for link in self._links:
                link.answered = 0

        self._call(change)

    def cut(self) -> int:
        """Reset all open connections, on both sides; new ones are accepted. Gives how many clients were cut."""
        return self._call(self._reset_all)

    def refuse(self) -> None:
        """Stop listening and cut: connecting is refused, as by a host without the server."""
        self._await(self._stop_listening())
        self.cut()

    def accept(self) -> None:
        """Listen again, after `refuse`."""
        self._await(self._listen())

    def reset_counts(self) -> None:
        """Count from zero."""
        self._call(lambda: setattr(self, "counts", Counts()))

    def close(self) -> None:
        """End all connections and stop listening."""
        if self._loop.is_closed():
            return
        self.refuse()
        self._await(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, self.port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        self.counts.connections += 1
        try:
            await self._flowing.wait()
            back, link.server = await asyncio.open_connection(*self.target)
            for each in (link.client, link.server):
                each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.tasks = [
                asyncio.create_task(self._pump(reader, link.server, lambda size: self._from_client(link, size), 0)),
                asyncio.create_task(self._pump(back, writer, lambda size: self._from_server(link, size), 1)),
            ]
            await asyncio.wait(link.tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the server can't be reached: the client sees its connection reset
        finally:
            self._reset(link)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[int], int], direction: int
    ) -> None:
        """Pass data in one direction until its end; a second task holds it, so that a delay costs no throughput."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        sender = asyncio.create_task(self._send(held, writer))
        try:
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                if allowed := data[: seen(len(data))]:
                    await held.put((self._loop.time() + self._delays[direction], allowed))
            await held.put((self._loop.time() + self._delays[direction], b""))
            await sender
        except OSError:
            pass  # reset by one side; the other is reset as well
        finally:
            sender.cancel()

    async def _send(self, held: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await held.get()
                if (left := due - self._loop.time()) > 0:
                    await asyncio.sleep(left)
                await self._flowing.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()

    def _from_client(self, link: _Link, size: int) -> int:
        self.counts.bytes_to_server += size
        if not link.client_spoke:
            link.client_spoke = True
            self.counts.round_trips += 1
        return size

    def _from_server(self, link: _Link, size: int) -> int:
        if self._answer_limit is not None:
            size = max(0, min(size, self._answer_limit - link.answered))
        link.answered += size
        link.client_spoke = link.client_spoke and not size
        self.counts.bytes_to_client += size
        return size

    def _reset_all(self) -> int:
        links = list(self._links)
        for link in links:
            self._reset(link)
        return len(links)

    def _reset(self, link: _Link) -> None:
        self._links.discard(link)
        for task in link.tasks:
            task.cancel()
        for writer in (link.client, link.server):
            if writer is not None and not writer.is_closing():
                with contextlib.suppress(OSError):
                    # Linger of zero: the peer gets a reset, not an orderly end, when data was under way.
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                writer.transport.abort()

    def _call(self, action: Callable[[], T]) -> T:
        async def run() -> T:
            return action()

        return self._await(run())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise EngineError("the proxy is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)
