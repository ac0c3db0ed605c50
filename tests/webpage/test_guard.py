"""What the server answers to whom."""

import asyncio
import json

import pytest

import constants
from webpage.guard import MAX_REQUEST, Guard, Requests
from webpage.visitors import Visitors

SENT = "/served/hash/photograph.png"
REQUESTS = Requests({2: [True, False, False], 3: []}, lambda name: name == SENT)


def answer_of(path, body=b"{}", host="127.0.0.1:7860", bound="127.0.0.1", **headers):
    """The guard before an application that answers 200: the status of a request, its headers, the body passed on."""
    sent, passed = [], []

    async def application(scope, receive, send):
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    headers = {"host": host, "content-length": str(len(body))} | headers
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    with_visitors = Guard(application, REQUESTS, Visitors("."), bound)
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
