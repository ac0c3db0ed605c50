"""Connections to the page: how long one may keep the server waiting, and how many there are at a time.

uvicorn waits without end for the rest of a request, and for a reader of its answer: who opens a thousand connections
and says half a word on each holds them all. Here a connection ends whose request is not whole in time, or whose answer
nobody takes; what is answered for long, as the progress of an explanation, stays. Where there are too many, one that
keeps the server waiting makes room for the next.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True)
class Limits:
    """How long a connection may keep the server waiting, in seconds, and how many there may be."""

    head: float = 10.0  # until the head of a request is there
    body: float = 300.0  # until its body is: a photograph by a slow line
    unread: float = 60.0  # until some of an answer is taken
    connections: int = 200  # a page holds one or two, and systems give a process 256 files or more


class PatientProtocol(H11Protocol):
    """HTTP on one connection, within limits. Its other arguments are those that uvicorn gives."""

    def __init__(self, limits: Limits, **uvicorn):
        super().__init__(**uvicorn)
        self.limits = limits
        self.awaited: object = None  # the part of a request that is waited for, or "a reader"; since when:
        self.since = 0.0
        self._end_of_patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        """Takes the connection; where there are too many, one that is waited for ends, this one if no other is."""
        super().connection_made(transport)
        self._look()
        opened = [other for other in self.connections if not other.transport.is_closing()]
        if len(opened) > self.limits.connections:
            late = [other for other in opened if isinstance(other, PatientProtocol) and other.awaited is not None]
            min(late, key=lambda other: (other is self, other.awaited is not h11.IDLE, other.since)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any longer."""
        self._wait_for(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; a request that is whole has time for its answer."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Waits for the reader of an answer."""
        super().pause_writing()
        self._wait_for("a reader", self.limits.unread)

    def resume_writing(self) -> None:
        """The reader has taken some of it."""
        super().resume_writing()
        self._wait_for(None)
        self._look()

    def _look(self) -> None:
        """Waits for the part of a request that is missing; a piece of it gains no time."""
        missing = {h11.IDLE: self.limits.head, h11.SEND_BODY: self.limits.body}
        part = self.conn.their_state if self.conn.their_state in missing else None
        if part is not self.awaited and not self.flow.write_paused:
            self._wait_for(part, missing.get(part))

    def _wait_for(self, awaited: object, seconds: float | None = None) -> None:
        if self._end_of_patience is not None:
            self._end_of_patience.cancel()
        self.awaited, self.since = awaited, time.monotonic()
        ends = awaited is not None and not self.transport.is_closing()
        self._end_of_patience = self.loop.call_later(seconds, self.transport.abort) if ends else None


def limit_connections(config, limits: Limits = Limits()) -> None:
    """Has a running uvicorn server keep these limits on all connections from now on. config: the server's."""
    config.http_protocol_class = partial(PatientProtocol, limits)
