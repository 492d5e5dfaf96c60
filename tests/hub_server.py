"""A model hub on this machine: serves the files of one snapshot folder as a real hub does, and notes what is asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hub(ThreadingHTTPServer):
    """Serves `folder` as model `repo` at `commit`; `asked` holds the method and path of each request."""

    def __init__(self, repo: str, commit: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo, self.commit, self.folder = repo, commit, folder
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def downloaded(self) -> set[str]:
        """Names of the files whose content was sent."""
        sent = (path.partition("/resolve/")[2] for method, path in self.asked if method == "GET")
        return {name.partition("/")[2] for name in sent if name}


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path))
        name = path.partition("/resolve/")[2].partition("/")[2]
        if path.startswith(f"/api/models/{self.server.repo}"):
            self._send(self._info(), {"Content-Type": "application/json"}, body)
        elif path.startswith(f"/{self.server.repo}/resolve/") and (self.server.folder / name).is_file():
            content = (self.server.folder / name).read_bytes()
            tags = {"X-Repo-Commit": self.server.commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
            self._send(content, tags, body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _info(self) -> bytes:
        folder = self.server.folder
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = [{"rfilename": path.relative_to(folder).as_posix(), "size": path.stat().st_size} for path in paths]
        return json.dumps({"id": self.server.repo, "sha": self.server.commit, "siblings": files}).encode()

    def _send(self, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(repo: str, commit: str, folder: Path) -> Iterator[Hub]:
    """A hub that lives as long as the block."""
    hub = Hub(repo, commit, folder)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
