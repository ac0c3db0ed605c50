"""What the page's server answers, and to whom a browser may talk while it shows the page.

Gradio's server has more routes than the page needs: a proxy, a fetcher of addresses elsewhere, a monitor, links to
sessions. The guard lets through those of the page and answers 404 for all others. A question is read first
(app_questions.py): one that names a file not uploaded here is refused. A page for this machine only answers to the
machine's own names, so that a site elsewhere cannot take one of its own for it (DNS rebinding). No request is longer
than the page needs. The answers tell the browser to talk to this server alone.
"""

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING
from urllib.parse import unquote

import constants

if TYPE_CHECKING:
    from webpage.app_questions import Questions
    from webpage.visitors import Visitors

ROUTES = re.compile(
    r"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(assets|static)/.*"
    r"|gradio_api/(theme\.css|startup-events|upload(_progress)?|cancel|reset/?|queue/(join/?|data)|heartbeat/\w+"
    r"|file=(?!https?:).*))",
    re.DOTALL,
)
HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FORM = 2**16  # bytes of an upload that are not its file


class Guard:
    """An ASGI application before another.

    questions: what may be asked. visitors: is told who is there. host: the address it answers at.
    """

    def __init__(self, app, questions: "Questions", visitors: "Visitors", host: str):
        self.app, self.questions, self.visitors = app, questions, visitors
        self.is_private = host in LOOPBACK

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, headers = unquote(scope["path"]), dict(scope["headers"])
        if self.is_private and not _is_own_name(headers.get(b"host", b"")):
            return await _refuse(send, 421)
        if not ROUTES.fullmatch(path):
            return await _refuse(send, 404)
        if refusal := _check_length(path, headers):
            return await _refuse(send, refusal)
        if path.rstrip("/") == "/gradio_api/queue/join":
            try:
                receive = _replay(self.questions.read(await _read(receive)), receive)
            except PermissionError:
                return await _refuse(send, 403)
            except ValueError:
                return await _refuse(send, 400)

        async def answer(message):
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        shown = path.removeprefix("/gradio_api/heartbeat/")
        with nullcontext() if shown == path else self.visitors.present(shown):
            return await self.app(scope, receive, answer)


def _is_own_name(host: bytes) -> bool:
    """Whether a Host header is a name of this machine, with or without a port."""
    name = re.fullmatch(rb"(?:\[([0-9a-f:]+)\]|([^:]+))(?::\d+)?", host.lower())
    return name is not None and (name[1] or name[2]).decode("latin-1") in LOOPBACK


def _check_length(path: str, headers: dict[bytes, bytes]) -> int | None:
    """The status that refuses a body too long, or of unknown length; None for any other."""
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or not length.isdigit():
        return 411
    is_upload = path == "/gradio_api/upload"
    longest = constants.APP_MAX_UPLOAD + FORM if is_upload else constants.APP_MAX_QUESTION
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


async def _refuse(send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"not here\n"})
