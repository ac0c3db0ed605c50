"""The page of app.py as a server in a process of its own, asked as browsers and attackers do: for tests and faults/."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]

# The server, noting every address it connects to or looks up that is not this machine.
WATCHED = f"""
import sys
sys.argv[0] = {str(ROOT / "app.py")!r}
def note(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
        print("OUTSIDE", args[1], file=sys.stderr, flush=True)
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "localhost", "::1", None):
        print("OUTSIDE", args[0], file=sys.stderr, flush=True)
sys.addaudithook(note)
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def free_port():
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """The page in a process of its own, with these flags; its files lie in `folder`."""

    def __init__(self, folder, *flags):
        self.folder, self.log = folder, folder / "log.txt"
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        settings = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
        with self.log.open("w") as log:
            command = [sys.executable, "-c", WATCHED, f"--port={port}", *flags]
            self.process = subprocess.Popen(command, cwd=folder, env=settings, stdout=log, stderr=log)
        while "The page is at" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def end(self):
        """Kills it."""
        self.process.kill()
        self.process.wait()

    def files(self):
        """The files of the page that are not the embedded data, by name."""
        return sorted(path.name for path in self.folder.glob("where_it_looks_*/served/**/*") if path.is_file())

    def status_of(self, path, body=None):
        """The HTTP status of a request."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body and json.dumps(body).encode(), headers)
        try:
            return urllib.request.urlopen(request, timeout=20).status
        except urllib.error.HTTPError as error:
            return error.code

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body) of a request whose path and headers are sent as they are."""
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def upload(self, name, content, **headers):
        """(status, path) of a file that is sent as the page sends it."""
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n--x--\r\n'
        headers = {"Content_Type": "multipart/form-data; boundary=x"} | headers
        status, _, answer = self.ask("POST", "/gradio_api/upload", body % (name.encode(), content), **headers)
        return status, json.loads(answer)[0] if status == 200 else None

    def wait_loaded(self):
        """Once the network is loaded."""
        while "The network is loaded" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
