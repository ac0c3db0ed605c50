"""The page's server: killed and started again, and asked directly what no browser asks.

A request is `refused` (4xx, or a connection closed without a word), `explained` (2xx, 3xx: answered as any request may
be), or `escaped`: 5xx, no answer within LIMIT, the content of the file outside in an answer, a redirection elsewhere, a
file written outside the page's own folder, a traceback or a connection to elsewhere in the log, or the death of the
server. In the end the page must answer a visitor's question as it did in the beginning.
"""

import contextlib
import json
import os
import re
import socket
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from output.progress import printable
from tools.faults.faulty_images import make_image
from tools.faults.kills import Killed
from tools.faults.mangle import PIECES, odd_name, spoil_bytes, spoil_json
from tools.faults.trials import ESCAPED, EXPLAINED, REFUSED, SECRET, Outcome
from tools.page_server import Server

LIMIT = 20.0  # seconds until the first line of an answer
PATIENCE = 3.0  # seconds after which a sender gives up
REST = 0.3  # seconds between two parts of an answer, which may never end
LOGGED = 0.02  # seconds that the log may be behind the answer
CROWD = 400  # connections that say half a word, more than the page holds and fewer than a process may open
SESSION = "faults"
ROUTES = (
    "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/assets/", "/static/", "/svelte/",
    "/file=", "/proxy=", "/login", "/monitoring", "/gradio_api/file=", "/gradio_api/upload", "/gradio_api/cancel",
    "/gradio_api/upload_progress?upload_id=", "/gradio_api/reset", "/gradio_api/queue/join", "/gradio_api/call/",
    "/gradio_api/queue/data?session_hash=", "/gradio_api/heartbeat/", "/gradio_api/startup-events", "/gradio_api/info",
    "/gradio_api/run/predict", "/gradio_api/component_server",
)  # fmt: skip
HEADERS = {
    "Host": ("evil.example", "127.0.0.1", "localhost:1", "", "[::1]", "a" * 9000, "\x7f"),
    "Origin": ("https://evil.example", "null", "http://127.0.0.1", "", "http://[", "\xff"),
    "Content-Length": ("-1", "0", "99999999999", "x", "1e3", "+5", "²"),
    "Transfer-Encoding": ("chunked", "identity", "gzip"),
    "Content-Type": (
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/json; charset=utf-7",
        "x/" + "y" * 5000,
    ),
    "X-Forwarded-Host": ("evil.example",),
    "X-Forwarded-Proto": ("https", "javascript"),
    "Forwarded": ("host=evil.example;proto=https",),
    "Range": ("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=0-1,5-6", "bytes=" + "0-1," * 3000),
    "Cookie": ("access-token=x", "=" * 9000),
    "Sec-Fetch-Site": ("cross-site", "same-site", "none"),
    "Accept-Encoding": ("gzip", "br", "\0"),
    "Expect": ("100-continue",),
    "Upgrade": ("websocket", "h2c"),
    "Authorization": ("Basic x", "Basic " + "A" * 5000, "Bearer x"),
}


class AttackedPage:
    """A page in a process of its own, asked as no browser does; beside its files lies one that nobody may read.

    What lies outside is listed once the network is loaded: Keras unpacks the weights to a folder there and removes it.
    """

    def __init__(self, server: Server):
        server.wait_loaded()
        self.server, self.folder = server, server.folder
        self.secret = self.folder / "secret.txt"
        self.secret.write_text(SECRET)
        self.config = json.loads(self.server.ask("GET", "/config")[2])
        self.names = {part["id"]: part["props"].get("elem_id") for part in self.config["components"]}
        self.files = {part["id"] for part in self.config["components"] if part["type"] == "image"}
        self.served = str(max(self.folder.glob("where_it_looks_*/served"), key=os.path.getmtime))
        self.sent = self.server.upload("sent.bin", bytes(1000))[1]
        self.outside, self.seen = self._list_outside(), len(self.server.log.read_text())

    def question(self, session: str = SESSION) -> dict:
        """What a browser sends when a visitor picks the first example."""
        picks = [f for f in self.config["dependencies"] if [self.names.get(t[0]) for t in f["targets"]] == ["examples"]]
        pick = next(function for function in picks if function["inputs"])
        values = {"class": 0, "second-class": -1, "methods": ["GRADCAM"], "seed": 0}
        data = [values.get(self.names[part]) for part in pick["inputs"]]
        return {"fn_index": pick["id"], "session_hash": session, "event_data": {"index": 0}, "data": data}

    def answer(self, session: str) -> list:
        """What the page shows in the end when the first example is picked; RuntimeError if there is no end."""
        self.server.wait_loaded()
        headers = {"Content_Type": "application/json"}
        status = self.server.ask("POST", "/gradio_api/queue/join", json.dumps(self.question(session)), **headers)[0]
        if status != 200:
            raise RuntimeError(f"a visitor's question is answered with {status}")
        body = self._stream(f"/gradio_api/queue/data?session_hash={session}", until=b"process_completed", limit=120)
        last = next(line for line in body.decode().splitlines() if "process_completed" in line)
        answer = json.loads(last.removeprefix("data:"))
        if not answer["success"]:
            raise RuntimeError(f"a visitor's question failed: {answer}")
        texts = [
            re.sub(r"\d+\.\d+ s\b", "", json.dumps(value)) for value in answer["output"]["data"]
        ]  # its times aside
        return [text for text in texts if "/served/" not in text]  # a folder whose name is drawn anew at each start

    def _stream(self, path: str, until: bytes, limit: float) -> bytes:
        raw = f"GET {path} HTTP/1.1\r\nHost: {self._host()}\r\n\r\n".encode()
        with socket.create_connection(self._place(), timeout=limit) as connection:
            connection.sendall(raw)
            body = b""
            while until not in body or not body.endswith(b"\n"):
                if not (more := connection.recv(2**16)):
                    raise RuntimeError(f"{path} ended without {until.decode()}")
                body += more
        return body

    def _host(self) -> str:
        return self.server.address.removeprefix("http://")

    def _place(self) -> tuple[str, int]:
        host, port = self._host().split(":")
        return host, int(port)

    def send(self, raw: bytes) -> tuple[int | None, bytes]:
        """(status, what came of the answer) of a request as it stands; None for a connection closed without a word.

        What is waited for in vain, as the rest of a body that is shorter than it says, ends after PATIENCE: the sender
        goes. TimeoutError if the server then keeps the connection.
        """
        answer = b""
        with socket.create_connection(self._place(), timeout=PATIENCE) as connection:
            with contextlib.suppress(OSError):  # it may refuse before all is sent
                connection.sendall(raw)
            try:
                answer = connection.recv(2**16)
            except TimeoutError:
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(LIMIT)
                answer = connection.recv(2**16)
            except ConnectionError:
                return None, b""
            connection.settimeout(REST)
            with contextlib.suppress(OSError):
                while len(answer) < 2**20 and (more := connection.recv(2**16)):
                    answer += more
        match = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
        return int(match[1]) if match else None, answer

    def _list_outside(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if not str(path).startswith(self.served)}

    def judge(self, raw: bytes) -> tuple[str, str]:
        """(result, what was said) of a request."""
        try:
            status, answer = self.send(raw)
        except TimeoutError:
            return ESCAPED, f"no answer within {LIMIT:g} s"
        except ConnectionRefusedError:
            return ESCAPED, "the server is gone"
        time.sleep(LOGGED)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        location = re.search(rb"\r\nlocation: *([^\r]*)", head)
        log, self.seen = (
            self.server.log.read_text(errors="replace")[self.seen :],
            len(self.server.log.read_text(errors="replace")),
        )
        changed = self._list_outside() ^ self.outside
        faults = [
            (self.server.process.poll() is not None, "the server has died"),
            (status is not None and status >= 500, f"status {status}: {answer[-200:]!r}"),
            (SECRET.encode() in answer, "the file outside was read"),
            (
                location and b"://" in location[1] and self._host().encode() not in location[1],
                f"sent to {location and location[1]!r}",
            ),
            (b"evil.example" in answer, "an address from a header is in the answer"),
            ("Traceback" in log or "OUTSIDE" in log, f"the log: {log[-600:]}"),
            (any(letter in log for letter in "\x1b\0"), f"a raw control character in the log: {log[-200:]!r}"),
            (bool(changed), f"files outside changed: {sorted(map(str, changed))}"),
        ]
        wrong = [text for is_so, text in faults if is_so]
        if wrong:
            return ESCAPED, printable("; ".join(wrong))
        return (EXPLAINED if status is not None and status < 400 else REFUSED), f"status {status}"


# --- what is sent -----------------------------------------------------------------------------------------------------
def make_request(rng: np.random.Generator, page: AttackedPage) -> tuple[str, bytes]:
    """(in words, bytes) of a request."""
    ways = (_ask_route, _ask_file, _ask_question, _ask_question, _upload, _tell_odd_body)
    method, path, headers, body = ways[rng.integers(len(ways))](rng, page)
    headers = {"Host": page._host(), "Content-Length": str(len(body)), "Connection": "close", **headers}
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.4 else 0):
        name = str(rng.choice(list(HEADERS)))
        headers[name] = HEADERS[name][rng.integers(len(HEADERS[name]))]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    raw = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogatepass") + body
    told = {name: value[:30] for name, value in headers.items() if name not in ("Host", "Connection")}
    words = f"{method} {path[:80]} {told} {body[:200]!r}"
    if rng.random() < 0.1:
        more, raw = spoil_bytes(rng, raw)
        words = f"{more}: {words}"
    return words, raw


def _piece(rng) -> str:
    piece = PIECES[rng.integers(len(PIECES))]
    return urllib.parse.quote(piece, safe="", errors="replace") if rng.random() < 0.7 else piece.replace(" ", "+")


def _ask_route(rng, page):
    method = str(rng.choice(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"]))
    return method, ROUTES[rng.integers(len(ROUTES))] + (_piece(rng) if rng.random() < 0.6 else ""), {}, b""


def _ask_file(rng, page):
    secret = str(page.secret)
    paths = [secret, f"{page.served}/../../secret.txt", "../" * 9 + secret, f"/{secret}", f"{secret}%00.png", "."]
    paths += [
        f"file://{secret}",
        "/etc/passwd",
        "..\\..\\secret.txt",
        f"{page.served}/..%2f..%2fsecret.txt",
        page.served,
    ]
    paths += ["http://127.0.0.1:1/x", page.sent, page.sent, page.sent]
    path = paths[rng.integers(len(paths))]
    for _ in range(rng.integers(0, 3)):
        path = urllib.parse.quote(path, safe="/" if rng.random() < 0.5 else "")
    route = str(
        rng.choice(["/file=", "/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/"])
    )
    return "GET", route + path.replace(" ", "%20"), {}, b""


def _ask_question(rng, page):
    question = page.question()
    function = page.config["dependencies"][rng.integers(len(page.config["dependencies"]))]
    if rng.random() < 0.7:
        values = [
            None,
            0,
            -1,
            "GRADCAM",
            ["GRADCAM", "NONSENSE"],
            "9" * 400,
            1e308,
            [None],
            "\x1b[31m",
            "<img src=x onerror=alert(1)>",
        ]
        data = [values[rng.integers(len(values))] for _ in function["inputs"]]
        question |= {"fn_index": function["id"], "data": data}
    paths = [
        str(page.secret),
        f"{page.served}/../../secret.txt",
        "/etc/passwd",
        "http://127.0.0.1:1/x.png",
        page.served,
    ]
    files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
    text = json.dumps(question) if rng.random() < 0.3 else spoil_json(rng, question, files + paths)[1]
    return "POST", "/gradio_api/queue/join", {"Content-Type": "application/json"}, text.encode("utf-8", "surrogatepass")


def _upload(rng, page):
    name = (
        odd_name(rng, ".png")
        if rng.random() < 0.5
        else str(rng.choice(["../../x.png", "/tmp/x.png", "", "..", "a/b.png", "x.svg", "C:\\x.png"]))
    )
    boundary = str(rng.choice(["x", "x" * 70, "", "-" * 3000]))
    field = str(rng.choice(["files", "files", "file", "path"]))
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = head.encode() + make_image(rng)[2] + f"\r\n--{boundary}--\r\n".encode()
    if rng.random() < 0.4:
        body = spoil_bytes(rng, body)[1]
    return "POST", "/gradio_api/upload", {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def _tell_odd_body(rng, page):
    route = str(
        rng.choice(
            ["/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/queue/join", "/gradio_api/upload", "/config"]
        )
    )
    sound = {"session_hash": SESSION, "fn_index": 1, "event_id": "x"}
    bodies = (
        spoil_json(rng, sound)[1].encode("utf-8", "surrogatepass"),
        rng.bytes(500),
        b"[" * 60_000,
        b"",
        b"null",
        b'"x"',
        b"\xff\xfe{",
    )
    kind = str(rng.choice(["application/json", "text/plain", "application/x-www-form-urlencoded"]))
    return "POST", route, {"Content-Type": kind}, bodies[rng.integers(len(bodies))]


# --- what is tried ----------------------------------------------------------------------------------------------------
def try_requests(n: int, seed: int, folder: Path) -> Iterator[Outcome]:
    """What comes of n requests; the last outcome is that of a visitor's question, asked before them and,
    in a crowd, after them."""
    page = AttackedPage(Server(folder))
    try:
        before = page.answer("before")
        for number in range(n):
            words, raw = make_request(np.random.default_rng([seed, number]), page)
            yield Outcome("page", number, printable(words), *page.judge(raw))
        with contextlib.ExitStack() as crowd:  # of whom each says half a word, and stays
            for _ in range(CROWD):
                one = crowd.enter_context(socket.create_connection(page._place()))
                with contextlib.suppress(OSError):  # it has made room for the next
                    one.sendall(b"GET / HTTP/1.1\r\nHo")
            after = page.answer("after")
        differ = [f"{old[:300]}, now {new[:300]}" for old, new in zip(before, after, strict=True) if old != new]
        yield Outcome("page", n, "a visitor's question", ESCAPED if differ else EXPLAINED, printable("; ".join(differ)))
    finally:
        page.server.end()


def try_page_kills(n: int, seed: int, folder: Path) -> Killed:
    """n kills of app.py while it starts, loads or answers; each time it is started again."""
    rng, faults = np.random.default_rng([seed, 1]), []
    (folder / "calm").mkdir()
    page = AttackedPage(Server(folder / "calm"))
    wanted = page.answer("calm")
    page.server.end()
    place = folder / "killed"
    place.mkdir()
    for _ in range(n):
        server = Server(place)
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 6))
        else:
            server.wait_loaded()
            page_part = json.dumps({"fn_index": 1, "session_hash": "k", "data": []})
            server.ask("POST", "/gradio_api/queue/join", page_part)
            server.upload("x.png", rng.bytes(1000))
        server.end()
        if "Traceback" in server.log.read_text():
            faults.append(f"a traceback: {server.log.read_text()[-300:]}")
    page = AttackedPage(Server(place))
    if page.answer("again") != wanted:
        faults.append("another answer than that of a calm page")
    page.server.end()
    return Killed("app", n, 1, len(wanted), faults)
