"""Who may ask the page's server for what.

Gradio's server has more routes than the page needs: a proxy, a fetcher of addresses elsewhere, a monitor, links to
sessions. The guard stands before it, and refuses

    403  a request from a page of another origin, or one that names a file not uploaded here
    404  a route that the page does not need
    400  a request that the page does not make, an upload that cannot be read
    401  a visitor without the password, where there is one
    411  a request whose length is not said
    413  a request that is longer than the page needs
    507  an upload that finds no space left; the server says so once more on its screen
    421  a name that is not this machine's, of a page for this machine alone: a site elsewhere could give itself the
         address of this machine, and take the page for one of its own (DNS rebinding)

What proxies say (`X-Forwarded-Host` and the like) is dropped: anyone can say it. So is what asks for a part of a file:
files are small, and Gradio stumbles over several parts. The answers tell the browser to talk
to this server alone.
"""

import asyncio
import base64
import binascii
import errno
import hmac
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import h11  # which uvicorn speaks HTTP by

import constants

if TYPE_CHECKING:
    from webpage.visitors import Visitors

ROUTES = re.compile(
    r"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(assets|static)/.*"
    r"|gradio_api/(theme\.css|startup-events|upload(_progress)?|cancel|reset/?|queue/(join/?|data)|heartbeat/\w+"
    r"|stream/\w+(/close)?"
    r"|file=(?!https?:).*))",
    re.DOTALL,
)
STARTUP = "/gradio_api/startup-events"  # by which Gradio asks itself, without a password, whether it is there
UPLOAD, JOIN, ANSWERS = "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/queue/data"
ENDS = ("/gradio_api/cancel", "/gradio_api/reset")  # of a question that is under way
HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SESSION = re.compile(r"\w{1,64}")
MARK = {"_type": "gradio.FileData"}
STREAM = re.compile(r"/gradio_api/stream/\w+")  # further frames of a question that is under way
CLOSE = re.compile(r"/gradio_api/stream/\w+/close")
FRAME = "frame"  # the kind of a field that a camera fills
FRAME_MARK = "data:image/jpeg;base64,"
FRAME_TEXT = re.compile(re.escape(FRAME_MARK) + "[A-Za-z0-9+/]+={0,2}")
MAX_REQUEST = 2**18  # bytes of any request but an upload
FORM = 2**16  # bytes of an upload that are not its file
NO_ROOM = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
WRONG_PASSWORD = 1.0  # seconds that a wrong password costs


class Requests:
    """What a browser may ask of the page's functions: a request (JSON) is read before Gradio sees it.

    What reaches Gradio is written anew from what was understood, so that no other field of a request can mean anything:
    a file is its path and the mark by which Gradio, too, checks it; a frame of a camera is the text of its JPEG.
    fields: function -> of each of its inputs whether it is a file, or `FRAME`. is_upload: whether a path is that of a
    file sent here.
    """

    def __init__(self, fields: Mapping[int, Sequence[bool | str]], is_upload: Callable[[object], bool]):
        self.fields, self.is_upload = fields, is_upload

    def read(self, body: bytes, only_frames: bool = False) -> bytes:
        """The request as Gradio is to see it. only_frames: whether it may be of a function of the camera alone.

        ValueError for one that the page does not make, PermissionError for one that names a file not uploaded here.
        """
        asked = _read_object(body)
        index, session, trigger = (asked.get(name) for name in ("fn_index", "session_hash", "trigger_id"))
        if type(index) is not int or index not in self.fields:
            raise ValueError("no function of the page")
        if only_frames and FRAME not in self.fields[index]:
            raise ValueError("no function of the camera")
        if not isinstance(session, str) or not SESSION.fullmatch(session):
            raise ValueError("no session")
        if trigger is not None and type(trigger) is not int:
            raise ValueError("no part of the page")
        values, fields = asked.get("data"), self.fields[index]
        if not isinstance(values, list) or len(values) != len(fields):
            raise ValueError(f"{len(fields)} values are wanted")
        data = [self._value(kind, value) for value, kind in zip(values, fields)]
        event = asked.get("event_data") if FRAME not in fields else None  # the frame once more
        event = {name: _plain(value) for name, value in event.items()} if isinstance(event, dict) else {}
        request = {"fn_index": index, "session_hash": session, "trigger_id": trigger, "data": data, "event_data": event}
        return json.dumps(request).encode()

    def _value(self, kind: bool | str, value: object):
        if kind == FRAME:
            return _frame(value)
        return self._file(value) if kind else _plain(value)

    def _file(self, value: object) -> dict | None:
        if value is None:
            return None
        path = value.get("path") if isinstance(value, dict) else value
        if not self.is_upload(path):
            raise PermissionError("no file that was uploaded here")
        return {"path": path, "meta": MARK}


def _frame(value: object) -> dict | None:
    """A frame with nothing but the text of its JPEG; None where the camera is off. PermissionError for anything else,
    which might name a file or an address."""
    if value is None:
        return None
    text = value.get("url") if isinstance(value, dict) else None
    if not isinstance(text, str) or not FRAME_TEXT.fullmatch(text):
        raise PermissionError("no frame of a camera")
    return {"url": text}


def read_end(body: bytes) -> bytes:
    """The end of a question as Gradio is to see it: plain values alone. ValueError for anything else."""
    asked = _read_object(body)
    return json.dumps({name: _plain(value) for name, value in asked.items()}).encode()


def _read_object(body: bytes) -> dict:
    try:
        asked = json.loads(body)
    except RecursionError:
        raise ValueError("no request of the page is so deep") from None
    if not isinstance(asked, dict):
        raise ValueError("not a request of the page")
    return asked


def _plain(value: object):
    """A number, a text, a truth value, None, or a list of them."""
    for single in value if isinstance(value, list) else [value]:
        if isinstance(single, list | dict):
            raise ValueError("no value of a field")
    return value


class Guard:
    """An ASGI application before another.

    requests: what may be asked. visitors: is told who is connected. host: the address it answers at. password: asked of
    every visitor by HTTP's Basic authentication, whatever name they give; None: of nobody.
    """

    def __init__(self, app, requests: Requests, visitors: "Visitors", host: str, password: str | None = None):
        self.app, self.requests, self.visitors = app, requests, visitors
        self.is_private, self.password = host in LOOPBACK, password

    async def __call__(self, scope, receive, send):
        send = _until_closed(send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, headers = unquote(scope["path"]), dict(scope["headers"])
        if refusal := self._check(path, headers):
            if refusal == 401 and b"authorization" in headers:
                await asyncio.sleep(WRONG_PASSWORD)
            return await _refuse(send, refusal)
        is_frame = bool(STREAM.fullmatch(path))
        if is_frame or CLOSE.fullmatch(path) or path.rstrip("/") in (JOIN, *ENDS):
            is_question = is_frame or path.rstrip("/") == JOIN
            try:
                body = await _read(receive)
                body = self.requests.read(body, is_frame) if is_question else read_end(body)
                receive = _replay(body, receive)
            except PermissionError:
                return await _refuse(send, 403)
            except ValueError:
                return await _refuse(send, 400)

        async def answer(message):
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        scope = {**scope, "headers": [pair for pair in scope["headers"] if not _is_dropped(pair[0])]}
        session = _find_session(path, scope.get("query_string", b""))
        with nullcontext() if session is None else self.visitors.connected(session):
            pass_on = {UPLOAD: self._pass_upload, ANSWERS: self._pass_answers}.get(path, self.app)
            return await pass_on(scope, receive, answer)

    async def _pass_answers(self, scope, receive, send):
        """Ends what a session that is not known, as one from before a new start, is told: Gradio tells it that, and
        would log its own words as a fault."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError:
            await send({"type": "http.response.body", "body": b""})

    async def _pass_upload(self, scope, receive, send):
        """Refuses an upload that Gradio stumbles over, and forgets one whose sender has gone: it would log both as
        faults of its own."""
        has_gone = False

        async def listen():
            nonlocal has_gone
            message = await receive()
            has_gone = has_gone or message["type"] == "http.disconnect"
            return message

        try:
            await self.app(scope, listen, send)
        except (KeyError, TypeError, ValueError):  # among which are those of its parser of forms
            await _refuse(send, 400)
        except OSError as error:
            if error.errno not in NO_ROOM + (errno.ENAMETOOLONG,):
                raise
            if error.errno in NO_ROOM:
                print(
                    f"an upload was refused: no space is left in '{tempfile.gettempdir()}'", file=sys.stderr, flush=True
                )
            await _refuse(send, 507 if error.errno in NO_ROOM else 400)
        except Exception:
            if not has_gone:
                raise

    def _check(self, path: str, headers: dict[bytes, bytes]) -> int | None:
        """The status that refuses a request by its path and headers; None for one that may pass."""
        if self.is_private and not _is_own_name(headers.get(b"host", b"")):
            return 421
        if not _is_own_origin(headers):
            return 403
        is_open = self.password is None or path == STARTUP
        if not is_open and not _has_password(headers.get(b"authorization", b""), self.password):
            return 401
        if not ROUTES.fullmatch(path):
            return 404
        return _check_length(path, headers)


def _is_own_name(host: bytes) -> bool:
    """Whether a Host header is a name of this machine, with or without a port."""
    name = re.fullmatch(rb"(?:\[([0-9a-f:]+)\]|([^:]+))(?::\d+)?", host.lower())
    return name is not None and (name[1] or name[2]).decode("latin-1") in LOOPBACK


def _is_own_origin(headers: dict[bytes, bytes]) -> bool:
    """Whether a request comes from this page, or from no page: one of another site carries an Origin that is not the
    Host, or, for a picture or a script, says by Sec-Fetch-Site that it comes from elsewhere. A link to the page may.
    """
    origin = headers.get(b"origin")
    if origin is not None:
        try:
            place = urlsplit(origin.decode("latin-1").lower()).netloc
        except ValueError:
            return False
        return place != "" and place == headers.get(b"host", b"").decode("latin-1").lower()
    is_foreign = headers.get(b"sec-fetch-site", b"none") in (b"cross-site", b"same-site")
    return not is_foreign or headers.get(b"sec-fetch-mode") == b"navigate"


def _has_password(authorization: bytes, password: str) -> bool:
    """Whether an Authorization header holds the password."""
    kind, _, text = authorization.partition(b" ")
    try:
        given = base64.b64decode(text, validate=True).partition(b":")[2]
    except binascii.Error:
        return False
    return kind.lower() == b"basic" and hmac.compare_digest(given, password.encode())


def _is_dropped(name: bytes) -> bool:
    """Whether a header is one by which a proxy tells what it was asked, or asks for a part of a file."""
    return name.lower().startswith((b"x-forwarded", b"forwarded")) or name.lower() == b"range"


def _find_session(path: str, query: bytes) -> str | None:
    """The session of a connection that stays open while its page is shown; None for any other request."""
    if path == ANSWERS:
        return parse_qs(query.decode("latin-1")).get("session_hash", [None])[0]
    session = path.removeprefix("/gradio_api/heartbeat/")
    return None if session == path else session


def _check_length(path: str, headers: dict[bytes, bytes]) -> int | None:
    """The status that refuses a body too long, or of unknown length; None for any other."""
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or not length.isdigit():
        return 411
    longest = constants.PAGE_MAX_UPLOAD + FORM if path == UPLOAD else MAX_REQUEST
    return 413 if int(length) > longest else None


async def _read(receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes, receive):
    """A `receive` that gives this body, then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again():
        return messages.pop() if messages else await receive()

    return again


def _until_closed(send):
    """A `send` without a word where the server has answered and closed already: what came was no HTTP to its end."""

    async def send_if_open(message):
        with suppress(h11.LocalProtocolError):
            await send(message)

    return send_if_open


async def _refuse(send, status: int) -> None:
    headers = [(b"content-type", b"text/plain")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="page", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"refused\n"})
