"""The published faults of Gradio, tried against the page as it runs: none reads, writes, fetches or redirects.

docs/page_security.md has the list with what each was. A path is sent as it stands here, unnormalised.
"""

import contextlib
import json
import re
import socket
import time
import urllib.parse

import numpy as np
import pytest

from tools.faults.hostile_requests import AttackedPage, make_request
from tools.faults.trials import EXPLAINED, REFUSED, SECRET
from tools.page_server import Server

pytest.importorskip("gradio", reason="the page needs gradio: pip install -r requirements-app.txt")
from webpage.connections import Limits


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("page"))
    (server.folder / "secret.txt").write_text(SECRET)
    yield server
    server.process.kill()


@pytest.fixture
def listener():
    """A server that the page must never ask: its address, and whether somebody has connected."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)

        def was_asked():
            try:
                listening.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x.png", was_asked


def variants(path):
    """A path as it stands, and escaped once and twice."""
    once = urllib.parse.quote(path, safe="")
    return path.replace(" ", "%20"), once, urllib.parse.quote(once, safe="")


def test_a_crowd_that_says_half_a_word_makes_room_for_a_visitor(server):
    host, port = server.address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_until_the_end:
        crowd = []
        for _ in range(Limits().connections + 1):
            one = open_until_the_end.enter_context(socket.create_connection((host, int(port)), timeout=60))
            one.sendall(b"GET / HTTP/1.1\r\nHo")
            crowd.append(one)
        with contextlib.suppress(ConnectionResetError):
            assert crowd[0].recv(1) == b""
        assert server.ask("GET", "/config")[0] == 200


# CVE-2021-43831, -2023-34239, -2023-51449, -2024-1561, -2024-34510, -2024-34511, -2024-47164, -2024-12217, -2025-23042,
# -2026-28414
@pytest.mark.parametrize(
    "route", ["/file=", "/gradio_api/file=", "/gradio_api/file/", "/file/", "/static/", "/assets/", "/svelte/"]
)
def test_no_file_outside_the_uploads_is_read(server, route):
    secret, served = server.folder / "secret.txt", next(server.folder.glob("where_it_looks_*/served"))
    paths = [str(secret), f"{served}/../../secret.txt", "../" * 12 + str(secret), f"/{secret}", f"{secret}::$DATA"]
    paths += [str(secret).upper(), "..\\..\\secret.txt", "\\\\127.0.0.1\\share\\secret.txt", "/windows/win.ini"]
    paths += [f"{served}/..%2f..%2fsecret.txt", f"{secret}%00.png", f"file://{secret}", "app.py", ".", ""]
    for path in paths:
        for variant in variants(path):
            status, _, body = server.ask("GET", route + variant)
            assert status in (400, 403, 404) and SECRET.encode() not in body, (route, path, status)


# CVE-2024-0964, -2024-1728, -2024-4941, -2024-47868, -2024-51751, -2025-48889
def test_no_file_outside_the_uploads_is_named_in_a_request(server):
    config = json.loads(server.ask("GET", "/config")[2])
    files = {part["id"] for part in config["components"] if part["type"] == "image"}
    shapes = [
        lambda path: {"path": path},
        lambda path: {"path": path, "meta": {"_type": "gradio.FileData"}},
        lambda path: {"path": path, "url": f"/gradio_api/file={path}", "orig_name": "x.png"},
        lambda path: {"value": {"path": path, "meta": {"_type": "gradio.FileData"}}},
        lambda path: [{"path": path}],
        lambda path: path,
    ]
    for function in config["dependencies"]:
        for shape in shapes:
            value = shape(str(server.folder / "secret.txt"))
            data = [value if part in files else None for part in function["inputs"]]
            if any(data):
                question = {"fn_index": function["id"], "session_hash": "thief", "data": data}
                body = json.dumps(question)
                assert server.ask("POST", "/gradio_api/queue/join", body, Content_Type="application/json")[0] == 403
    for route in ("run/predict", "api/predict", "call/predict", "run/flag", "component_server", "stream/x"):
        for prefix in ("/", "/gradio_api/"):
            assert server.ask("POST", prefix + route, "{}", Content_Type="application/json")[0] in (400, 404, 405)


# CVE-2024-1183, -2024-2206, -2024-4325, -2024-47167, -2024-48052, -2026-28416; -2024-4940, -2024-8021, -2026-28415
# (redirects); -2026-48545 (cookies of the proxy)
def test_no_other_address_is_fetched_nor_redirected_to(server, listener):
    address, was_asked = listener
    for route in ("/file=", "/gradio_api/file=", "/proxy=", "/gradio_api/proxy=", "/svelte/", "/assets/"):
        for variant in (*variants(address), *variants(address.removeprefix("http:"))):
            status, headers, _ = server.ask("GET", route + variant)
            assert status in (400, 403, 404) and "location" not in {name.lower() for name in headers}
    for shape in ({"path": address}, {"url": address}, {"path": "x", "url": address}, address):
        body = json.dumps({"fn_index": 2, "session_hash": "thief", "data": [shape]})
        assert server.ask("POST", "/gradio_api/queue/join", body)[0] in (400, 403)
    target = urllib.parse.quote(address, safe="")
    for route in ("/login/callback", "/logout", "/login/huggingface", "/gradio_api/login"):
        status, headers, _ = server.ask("GET", f"{route}?_target_url={target}")
        assert status == 404 and "location" not in {name.lower() for name in headers}
    time.sleep(0.3)
    assert not was_asked() and "OUTSIDE" not in server.log.read_text()


# CVE-2024-1727 (a foreign page uploads), -2024-47084 and -2024-47165 (CORS of localhost and null), -2025-5320
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:7860", "http://127.0.0.1:1"])
def test_a_foreign_page_can_neither_send_nor_read(server, origin):
    before = server.files()
    assert server.upload("x.png", b"x", Origin=origin)[0] == 403 and server.files() == before
    for path in ("/config", "/gradio_api/queue/data?session_hash=a", "/gradio_api/heartbeat/a"):
        assert server.ask("GET", path, Origin=origin)[0] == 403
    assert server.upload("x.png", b"x", Origin=server.address)[0] == 200


# CVE-2024-47870 (the address of the page is taken from a header)
def test_what_a_proxy_says_does_not_change_the_page(server):
    plain = server.ask("GET", "/config")[2]
    headers = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/x", "Forwarded": "host=evil.example"}
    for path in ("/", "/config", "/theme.css", "/manifest.json"):
        assert b"evil.example" not in server.ask("GET", path, **headers)[2]
    assert json.loads(server.ask("GET", "/config", **headers)[2])["root"] == json.loads(plain)["root"]
    assert server.ask("GET", "/", Host="evil.example")[0] == 421


# CVE-2023-41626, -2024-47872 (an uploaded page runs in the browser), -2024-1728 (the name of an upload leads out)
def test_an_upload_stays_where_it_belongs_and_is_no_page_of_this_server(server):
    script, served = b"<script>alert(1)</script>", next(server.folder.glob("where_it_looks_*/served"))
    for name in ("x.html", "x.svg", "x.js", "x.xml", "x.xhtml", "x.png"):
        status, path = server.upload(name, script)
        status, headers, _ = server.ask("GET", f"/gradio_api/file={path}")
        headers = {name.lower(): value for name, value in headers.items()}
        safe = headers.get("content-type", "").startswith("image/png")
        assert status == 200 and (safe or headers["content-disposition"].startswith("attachment")), name
        assert headers["x-content-type-options"] == "nosniff"
    outside = {path for path in server.folder.rglob("*") if served not in path.parents}
    for name in ("../../../up.png", "..\\..\\up.png", "/tmp/up.png", "a/../../up.png", "..", ".", "x\x1b[31m.png", ""):
        status, path = server.upload(name, b"x")
        assert status != 200 or path.startswith(f"{served}/"), name
    assert {path for path in server.folder.rglob("*") if served not in path.parents} == outside


# CVE-2024-47166, -2024-47168, -2024-10648, -2026-27167 and what else the page has no use for
@pytest.mark.parametrize(
    "path",
    [
        "/custom_component/x/client/component/../../../app.py",
        "/gradio_api/custom_component/x/client/component/index.js",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/token",
        "/gradio_api/user",
        "/gradio_api/app_id",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/dev/reload",
        "/gradio_api/mcp/sse",
        "/gradio_api/mcp/",
        "/gradio_api/vibe-code",
        "/gradio_api/profiling/traces",
        "/gradio_api/deep_link?session_hash=a",
        "/gradio_api/stream/a/1/1/playlist.m3u8",
        "/pwa_icon",
        "/login",
        "/docs",
    ],
)
def test_routes_that_the_page_does_not_need_are_not_there(server, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert server.ask(method, path, "{}")[0] == 404


# CVE-2024-8966 (a boundary without end), -2025-0187 (a name without end), -2024-10569 and -10624 (heavy values)
def test_long_and_heavy_requests_are_answered_at_once(server):
    begin = time.monotonic()
    tail = b"--x" + b"-" * 100_000 + b"\r\n"
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nx\r\n' + tail
    server.ask("POST", "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=x")
    server.ask("POST", "/gradio_api/upload", b"x", Content_Type="multipart/form-data; boundary=" + "-" * 30_000)
    assert server.upload("a" * 1_000_000 + ".png", b"x")[0] != 200
    for text in ("1" * 200_000, "now - " + "9" * 100_000 + "s", [0] * 50_000):
        body = json.dumps({"fn_index": 2, "session_hash": "heavy", "data": [text]})
        assert server.ask("POST", "/gradio_api/queue/join", body)[0] in (400, 403, 413)
    assert server.ask("GET", "/config")[0] == 200 and time.monotonic() - begin < 5


def test_a_hundred_malformed_requests_are_refused_or_answered(server):
    page = AttackedPage(server)
    for number in range(100):
        words, raw = make_request(np.random.default_rng([4711, number]), page)
        result, said = page.judge(raw)
        assert result in (REFUSED, EXPLAINED), f"{words}: {said}"
    server.wait_loaded()
    assert page.answer("visitor") == page.answer("another")


def test_the_version_bound_is_that_of_the_last_published_fault():
    """FileExplorer's traversal was mended in 6.16.0; the page asks for a version newer than all faults known."""
    from importlib.metadata import version

    from planted import ROOT

    wanted = re.search(r"gradio>=(\d+)\.(\d+)", (ROOT / "requirements-app.txt").read_text())
    assert (int(wanted[1]), int(wanted[2])) >= (6, 16)
    assert tuple(map(int, version("gradio").split(".")[:2])) >= (int(wanted[1]), int(wanted[2]))
