"""What the server answers to whom."""

import asyncio
import base64
import errno
import json
import tempfile
import time

import h11
import pytest

import constants
from webpage.guard import FRAME, FRAME_MARK, MAX_REQUEST, Guard, Requests
from webpage.visitors import Visitors

SENT = "/served/hash/photograph.png"
REQUESTS = Requests({2: [True, False, False], 3: [], 4: [FRAME, False]}, lambda name: name == SENT)


def answer_of(path, body=b"{}", host="127.0.0.1:7860", bound="127.0.0.1", password=None, **headers):
    """The guard before an application that answers 200 and the headers it was sent: the status of a request, the
    headers of the answer, the body passed on."""
    sent, passed = [], []

    async def application(scope, receive, send):
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": scope["headers"]})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    headers = {"host": host, "content-length": str(len(body))} | headers
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    with_visitors = Guard(application, REQUESTS, Visitors("."), bound, password)
    asyncio.run(with_visitors({"type": "http", "path": path, "headers": headers}, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), passed


@pytest.mark.parametrize(
    "path, status",
    [
        ("/", 200),
        ("/config", 200),
        ("/assets/index.js", 200),
        ("/gradio_api/upload", 200),
        ("/gradio_api/heartbeat/abc", 200),
        ("/gradio_api/file=/tmp/x/map.npy", 200),
        ("/gradio_api/queue/data", 200),
        ("/gradio_api/stream/0a1b/close", 200),
        ("/gradio_api/stream/abc/1/2/playlist.m3u8", 404),
        ("/gradio_api/stream/abc/1/2/playlist-file", 404),
        ("/gradio_api/file=http://127.0.0.1/", 404),
        ("/gradio_api/file=https%3A//example.org", 404),
        ("/gradio_api/proxy=https://example.org", 404),
        ("/monitoring", 404),
        ("/gradio_api/run/predict", 404),
        ("/gradio_api/call/x", 404),
        ("/gradio_api/component_server", 404),
        ("/openapi.json", 404),
        ("/docs", 404),
    ],
)
def test_the_guard_lets_through_what_the_page_needs(path, status):
    assert answer_of(path)[0] == status


def test_the_browser_is_told_to_stay_on_this_machine():
    policy = answer_of("/")[1][b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


@pytest.mark.parametrize(
    "host, status",
    [
        ("127.0.0.1:7860", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:7860", 200),
        ("[::1]", 200),
        ("evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("localhost:80:80", 421),
        ("[::2]", 421),
    ],
)
def test_a_private_page_answers_to_the_names_of_this_machine_alone(host, status):
    assert answer_of("/", host=host)[0] == status
    assert answer_of("/", host=host, bound="0.0.0.0")[0] == 200


@pytest.mark.parametrize(
    "origin, status",
    [
        ("http://127.0.0.1:7860", 200),
        ("HTTP://127.0.0.1:7860", 200),
        ("https://127.0.0.1:7860", 200),  # behind a proxy that encrypts
        ("http://127.0.0.1:8888", 403),  # another page of this machine
        ("http://localhost:7860", 403),
        ("http://127.0.0.1", 403),
        ("https://evil.example", 403),
        ("http://127.0.0.1:7860.evil.example", 403),
        ("http://evil.example@127.0.0.1:7860", 403),
        ("null", 403),  # a sandboxed frame, a file
        ("", 403),
        ("http://[", 403),
    ],
)
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])
def test_a_request_from_a_page_of_another_origin_is_refused(origin, status, bound):
    for path in ("/", "/config", "/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/queue/data"):
        assert answer_of(path, origin=origin, bound=bound)[0] == status
    assert answer_of("/gradio_api/queue/join", ask_for(), origin=origin, bound=bound)[0] == status


def test_a_picture_or_script_of_another_site_is_refused_but_not_a_link_to_the_page():
    path = "/gradio_api/heartbeat/abc"
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert answer_of(path, sec_fetch_site=site, sec_fetch_mode="no-cors")[0] == status
        assert answer_of("/", sec_fetch_site=site, sec_fetch_mode="navigate")[0] == 200


def test_what_a_proxy_says_is_not_passed_on():
    names = ("x_forwarded_host", "x_forwarded_proto", "x_forwarded_for", "x_forwarded_prefix", "forwarded")
    headers = answer_of("/", accept="text/html", **dict.fromkeys(names, "evil.example"))[1]
    assert headers[b"accept"] == b"text/html" and b"evil.example" not in headers.values()


def test_a_file_is_asked_for_whole():
    headers = answer_of("/gradio_api/file=/a.png", range="bytes=0-0,5-6", accept="image/png")[1]
    assert headers[b"accept"] == b"image/png" and b"range" not in headers


def test_with_a_password_nothing_is_answered_without_it(monkeypatch):
    monkeypatch.setattr("webpage.guard.WRONG_PASSWORD", 0.05)

    def ask(given, path="/", kind="Basic"):
        authorization = f"{kind} {base64.b64encode(given.encode()).decode()}"
        return answer_of(path, bound="0.0.0.0", password="schlüssel:1", authorization=authorization)[0]

    for path in ("/", "/config", "/assets/index.js", "/gradio_api/upload", "/monitoring"):
        status, headers, passed = answer_of(path, bound="0.0.0.0", password="schlüssel:1")
        assert status == 401 and passed == [] and headers[b"www-authenticate"].startswith(b"Basic realm=")
    assert ask("anyone:schlüssel:1") == ask(":schlüssel:1") == ask("a:schlüssel:1", kind="basic") == 200
    begin = time.monotonic()
    for wrong in ("anyone:", "anyone:schlüssel", "schlüssel:1", "anyone:SCHLÜSSEL:1", ""):
        assert ask(wrong) == 401
    assert time.monotonic() - begin >= 5 * 0.05, "a wrong one costs time"
    assert ask("anyone:schlüssel:1", kind="Bearer") == 401
    for text in ("Basic", "Basic %%%", "", "Basic é"):
        assert answer_of("/", password="schlüssel:1", authorization=text)[0] == 401


def test_nothing_is_answered_by_a_web_socket():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(None, REQUESTS, Visitors("."), "127.0.0.1")({"type": "websocket", "path": "/"}, None, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_visitor_is_connected_while_a_heartbeat_or_their_answers_are_open(tmp_path):
    visitors, during = Visitors(tmp_path), []

    async def application(scope, receive, send):
        during.append(visitors.connections["abc"])

    def ask(path, query=b""):
        guard = Guard(application, REQUESTS, visitors, "127.0.0.1")
        headers = [(b"host", b"localhost")]
        scope = {"type": "http", "path": path, "headers": headers, "query_string": query}
        asyncio.run(guard(scope, None, None))

    ask("/gradio_api/heartbeat/abc")
    ask("/gradio_api/queue/data", b"session_hash=abc")
    ask("/gradio_api/queue/data", b"session_hash=other")
    ask("/config", b"session_hash=abc")
    assert during == [1, 1, 0, 0] and not visitors.connections


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/gradio_api/queue/join", {"content_length": str(MAX_REQUEST + 1)}, 413),
        ("/gradio_api/cancel", {"content_length": str(MAX_REQUEST + 1)}, 413),
        ("/gradio_api/upload", {"content_length": str(constants.PAGE_MAX_UPLOAD)}, 200),
        ("/gradio_api/upload", {"content_length": str(2 * constants.PAGE_MAX_UPLOAD)}, 413),
        ("/gradio_api/upload", {"transfer_encoding": "chunked"}, 411),
        ("/gradio_api/cancel", {"content_length": "x"}, 411),
    ],
)
def test_no_request_is_longer_than_the_page_needs(path, headers, status):
    assert answer_of(path, **headers)[0] == status


def ask_for(photo=None, **changes):
    """The body of a question about a photograph."""
    asked = {"fn_index": 2, "session_hash": "abc", "trigger_id": 7, "data": [photo, 0.5, ["GRADCAM"]]} | changes
    return json.dumps(asked).encode()


@pytest.mark.parametrize(
    "photo",
    [
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        "/etc/passwd",
        {},
        [],
        3,
        {"path": "https://example.org/x.png"},
        {"path": [SENT]},
        {"path": SENT + "/../x.png"},
        {"url": SENT},
        [SENT],
    ],
)
def test_a_question_that_names_a_file_not_uploaded_is_refused(photo):
    assert answer_of("/gradio_api/queue/join", ask_for(photo))[::2] == (403, [])


def test_a_file_is_passed_on_with_the_mark_by_which_gradio_checks_it_and_nothing_else():
    photo = {"path": SENT, "url": "http://example.org", "is_stream": True, "size": "x", "meta": {}}
    body = ask_for(photo, batched=True, event_id="x", simple_format=True, event_data={"index": 1})
    status, _, (passed,) = answer_of("/gradio_api/queue/join", body)
    assert status == 200
    assert json.loads(passed) == {
        "fn_index": 2,
        "session_hash": "abc",
        "trigger_id": 7,
        "event_data": {"index": 1},
        "data": [{"path": SENT, "meta": {"_type": "gradio.FileData"}}, 0.5, ["GRADCAM"]],
    }
    assert answer_of("/gradio_api/queue/join", ask_for(None))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"[]",
        b"not JSON",
        b"\xff",
        ask_for(fn_index=99),
        ask_for(fn_index=-1),
        ask_for(fn_index=None),
        ask_for(fn_index=True),
        ask_for(data=[]),
        ask_for(data=None),
        ask_for(data=[None, {"path": "/etc/passwd"}, None]),
        ask_for(data=[None, [[1]], None]),
        ask_for(session_hash=None),
        ask_for(session_hash="../x"),
        ask_for(session_hash="x" * 65),
        ask_for(trigger_id="x"),
        ask_for(event_data={"index": {"a": 1}}),
    ],
)
def test_what_the_page_does_not_ask_is_refused(body):
    assert answer_of("/gradio_api/queue/join", body)[::2] == (400, [])


def upload_to(application, messages):
    """The statuses sent for an upload that an application behind the guard takes."""
    sent, messages = [], iter(messages)

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-length", b"9")]
    guard = Guard(application, REQUESTS, Visitors("."), "127.0.0.1")
    asyncio.run(guard({"type": "http", "path": "/gradio_api/upload", "headers": headers}, receive, send))
    return [message["status"] for message in sent if "status" in message]


@pytest.mark.parametrize(
    "error", [ValueError("boundary"), KeyError("name"), TypeError("no file"), OSError(errno.ENAMETOOLONG, "")]
)
def test_an_upload_that_cannot_be_read_is_refused(error):
    async def stumble(scope, receive, send):
        raise error

    assert upload_to(stumble, []) == [400]


def test_an_upload_whose_sender_has_gone_is_forgotten_and_another_fault_is_not():
    async def wait(scope, receive, send):
        await receive()
        raise RuntimeError("gone")

    assert upload_to(wait, [{"type": "http.disconnect"}]) == []
    with pytest.raises(RuntimeError):
        upload_to(wait, [{"type": "http.request"}])


def test_who_asks_for_the_answers_of_a_session_from_before_a_new_start_is_told_so_and_the_log_is_not():
    async def stumble(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"session_not_found", "more_body": True})
        raise RuntimeError("Caught handled exception, but response already started.")

    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(stumble, None, Visitors("."), "127.0.0.1")
    scope = {"type": "http", "path": "/gradio_api/queue/data", "query_string": b"session_hash=old"}
    asyncio.run(guard({**scope, "headers": [(b"host", b"127.0.0.1")]}, None, send))
    assert [message.get("body") for message in sent] == [None, b"session_not_found", b""]
    assert not sent[-1].get("more_body")
    with pytest.raises(RuntimeError):
        asyncio.run(guard({**scope, "path": "/config", "headers": [(b"host", b"127.0.0.1")]}, None, send))


def test_an_upload_that_finds_the_disk_full_is_refused_and_the_folder_is_named(capsys):
    async def fill(scope, receive, send):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert upload_to(fill, []) == [507]
    assert f"no space is left in '{tempfile.gettempdir()}'" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/gradio_api/cancel", "/gradio_api/reset"])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe{", b"[]", b"[" * 60_000, b'{"session_hash": {}}', b'{"event_id": NaN']
)
def test_the_end_of_a_question_is_plain_values_or_refused(path, body):
    assert answer_of(path, body)[0] == 400
    sent = {"session_hash": "a", "fn_index": 2, "event_id": "b"}
    status, _, passed = answer_of(path, json.dumps(sent).encode())
    assert status == 200 and [json.loads(body) for body in passed] == [sent]


# --- frames of a camera --------------------------------------------------------------------------------------
def ask_frame(value, path="/gradio_api/stream/0a1b"):
    body = {"fn_index": 4, "session_hash": "abc", "data": [value, ["GRADCAM"]], "event_data": {"value": value}}
    body["more"] = {"a": [1]}
    return answer_of(path, json.dumps(body).encode())


@pytest.mark.parametrize("path", ["/gradio_api/stream/0a1b", "/gradio_api/queue/join"])
def test_a_frame_comes_through_as_the_text_of_its_jpeg_alone(path):
    status, _, [passed] = ask_frame({"url": FRAME_MARK + "AAAA", "path": "/etc/passwd", "meta": {}}, path)
    assert status == 200 and json.loads(passed)["data"] == [{"url": FRAME_MARK + "AAAA"}, ["GRADCAM"]]
    assert "more" not in json.loads(passed)


@pytest.mark.parametrize(
    "value",
    [
        {"url": "http://127.0.0.1/secret"},
        {"url": "data:text/html;base64,AAAA"},
        {"url": FRAME_MARK + 'AA"A'},
        {"path": "/etc/passwd", "url": {"path": "/etc/passwd"}},
        "/etc/passwd",
        7,
    ],
)
def test_what_is_no_frame_of_a_camera_is_refused(value):
    status, _, passed = ask_frame(value)
    assert status == 403 and not passed


def test_frames_are_of_the_camera_alone():
    body = json.dumps({"fn_index": 2, "session_hash": "abc", "data": [None, 1, 2]}).encode()
    assert answer_of("/gradio_api/queue/join", body)[0] == 200
    assert answer_of("/gradio_api/stream/0a1b", body)[0] == 400


@pytest.mark.parametrize("length, application", [(b"x", None), (b"0", "answers")])
def test_an_answer_to_a_connection_that_is_closed_already_is_no_fault(length, application):
    """What came was no HTTP to its end: the server has answered 400 by itself."""

    async def answers(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        raise h11.LocalProtocolError("can't handle event type Response when role=SERVER and state=MUST_CLOSE")

    guard = Guard(application and answers, REQUESTS, Visitors("."), "127.0.0.1")
    headers = [(b"host", b"127.0.0.1"), (b"content-length", length)]
    asyncio.run(guard({"type": "http", "path": "/config", "headers": headers}, None, send))
