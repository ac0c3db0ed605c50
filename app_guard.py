"""What the page's server answers, and to whom a browser may talk while it shows the page.

Gradio's server has more routes than the page needs: a proxy, a fetcher of addresses elsewhere, a monitor, links to
sessions. The guard lets through those of the page and answers 404 for all others; a question that names a file
elsewhere is refused, since the server would fetch it. Its answers tell the browser to talk to this server alone.
"""

import json
import re
from urllib.parse import unquote

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


class Guard:
    """An ASGI application before another."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = unquote(scope["path"])
        if not ROUTES.fullmatch(path):
            return await _refuse(send, 404)
        if path.rstrip("/") == "/gradio_api/queue/join":
            body = await _read(receive)
            if names_address(body):
                return await _refuse(send, 403)
            receive = _replay(body, receive)

        async def answer(message):
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        return await self.app(scope, receive, answer)


def names_address(body: bytes) -> bool:
    """Whether a file of the question (JSON) lies at an address instead of among the uploads."""
    try:
        waiting = [json.loads(body)]
    except ValueError:
        return False  # nothing that the server would understand either
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if re.match(r"\s*\w+:/", str(value.get("path") or "")):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


async def _read(receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes, receive):
    """A `receive` that gives the body once more, then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again():
        return messages.pop() if messages else await receive()

    return again


async def _refuse(send, status: int) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}
    )
    await send({"type": "http.response.body", "body": b"not here\n"})
