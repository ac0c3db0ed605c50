"""Connections that keep the server waiting, over real sockets: who says half a word is not waited for."""

import asyncio
import socket
import threading
import time

import pytest

pytest.importorskip("gradio", reason="the page needs gradio: pip install -r requirements-app.txt")
import uvicorn

from webpage.connections import Limits, limit_connections

LONG = 600.0
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALVES = {
    "head": b"GET / HTTP/1.1\r\nHo",
    "head that has not begun": b"",
    "head of a second request": WHOLE + b"GET / HT",
    "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
}


async def answer(scope, receive, send):
    """/stream: letter by letter without end; /large: as much as is taken; else a word, when the whole body is there."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.01)
    while scope["path"] == "/large":
        await send({"type": "http.response.body", "body": bytes(2**16), "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"whole"})


@pytest.fixture
def server():
    config = uvicorn.Config(answer, port=0, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running
    running.should_exit = running.force_exit = True
    thread.join()


def connect(server, sent):
    connection = socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=60)
    connection.sendall(sent)
    return connection


def is_closed(connection):
    """Whether the server ends the connection; what it says before is read."""
    try:
        while connection.recv(2**16):
            pass
    except ConnectionResetError:
        pass
    return True  # a TimeoutError otherwise


def wait_for(condition):
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("part", HALVES)
def test_a_connection_ends_whose_request_is_not_whole_in_time(server, part):
    limit_connections(server.config, Limits(body=0.1) if part == "body" else Limits(head=0.1, body=LONG))
    with connect(server, HALVES[part]) as connection:
        assert is_closed(connection)


def test_a_piece_now_and_then_gains_no_time(server):
    limit_connections(server.config, Limits(head=0.3))
    with connect(server, b"GET / HTTP/1.1\r\n") as connection, pytest.raises(ConnectionError):
        while True:
            connection.sendall(b"a: b\r\n")
            time.sleep(0.02)


def test_a_connection_ends_whose_answer_nobody_takes(server):
    limit_connections(server.config, Limits(unread=0.1))
    with connect(server, WHOLE.replace(b"/", b"/large", 1)) as connection:
        wait_for(lambda: any(other.flow.write_paused for other in [*server.server_state.connections]))
        wait_for(lambda: not server.server_state.connections)
        assert is_closed(connection)


def test_an_answer_that_takes_long_is_not_ended(server):
    limit_connections(server.config, Limits(head=0.2, body=0.2, unread=0.2))
    answered = b""
    while not answered:  # on a busy machine even a whole request may come too late: it is sent again
        streaming = connect(server, WHOLE.replace(b"/", b"/stream", 1))
        answered = streaming.recv(2**16)
    with streaming, connect(server, b"GET") as later:
        assert is_closed(later)
        wait_for(lambda: len(streaming.recv(2**16)) < 2**16)  # all that the socket held
        assert streaming.recv(1)


def test_where_there_are_too_many_the_one_that_says_nothing_for_longest_makes_room(server):
    limit_connections(server.config, Limits(head=LONG, body=LONG, unread=LONG, connections=3))
    streaming = connect(server, WHOLE.replace(b"/", b"/stream", 1))
    assert streaming.recv(2**16)
    uploading = connect(server, HALVES["body"])
    wait_for(lambda: len(server.server_state.connections) == 2)
    first = connect(server, b"GET / HT")
    wait_for(lambda: len(server.server_state.connections) == 3)
    with connect(server, WHOLE.replace(b"x", b"x\r\nConnection: close")) as visitor:
        assert is_closed(first)
        assert b"200 OK" in visitor.recv(2**16)
    uploading.sendall(b" word")
    wait_for(lambda: b"whole" in uploading.recv(2**16))
    assert streaming.recv(1)
    for connection in (streaming, uploading, first):
        connection.close()


def test_where_all_are_answered_the_next_is_refused(server):
    limit_connections(server.config, Limits(head=LONG, connections=1))
    with connect(server, WHOLE.replace(b"/", b"/stream", 1)) as streaming:
        assert streaming.recv(2**16)
        with connect(server, b"") as next_one:
            assert is_closed(next_one)
        assert streaming.recv(1)
