"""A hub on 127.0.0.1: the part of its protocol that downloads use, its faults on request.

Large files are redirected to another port, as to the hub's storage, which knows no tokens.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".pt", ".pth")
HEX = re.compile("[0-9a-f]{40}")


@dataclass
class Repo:
    """Files by name at ``commit``, which is also the branch main's; ``gated`` without a token."""

    files: Mapping[str, bytes]
    commit: str
    gated: bool = False

    @classmethod
    def of(cls, folder: Path, commit: str) -> Repo:
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        return cls({name: path.read_bytes() for name, path in files.items()}, commit)

    def at(self, revision: str) -> bool:
        return revision in ("main", self.commit)


@dataclass
class Hub:
    """``cut``: the byte of a file at which each connection breaks, by its name. ``flipped``: names
    of files that arrive with a byte changed. ``asked``: (method, repo/file, Range) of every
    request for a file's content. ``token``: the one that opens gated repositories."""

    repos: dict[str, Repo] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    flipped: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    token: str = "hf_local"
    url: str = ""
    storage: str = ""

    def content(self, name: str, data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if name in self.flipped else data


def large(name: str) -> bool:
    return name.endswith(LARGE)


def checksum(name: str, data: bytes) -> str:
    if large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def described(name: str, data: bytes) -> dict[str, Any]:
    """A file as both listings of the hub tell of it."""
    size, total = len(data), checksum(name, data)
    entry = {"rfilename": name, "path": name, "type": "file", "size": size}
    entry |= {"blobId": total[:40], "oid": total[:40]}
    pointer = {"sha256": total, "oid": total, "size": size, "pointerSize": 130}
    return entry | ({"lfs": pointer} if large(name) else {})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") == "Bearer hf_expired":
            message = {"X-Error-Message": "Invalid credentials in Authorization header"}
            self.answer(401, b"", message)
        elif api := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            self.listing(*api.groups())
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(*file.groups())
        else:
            self.refuse(404, "RepoNotFound")

    def listing(self, name: str, kind: str | None, revision: str | None) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            return self.refuse(401, "RepoNotFound")
        if not repo.at(revision or "main"):
            return self.refuse(404, "RevisionNotFound")
        files = [described(file, data) for file, data in sorted(repo.files.items())]
        answer = files if kind == "tree" else {"id": name, "sha": repo.commit, "siblings": files}
        self.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def resolve(self, name: str, revision: str, file: str) -> None:
        repo = self.hub.repos[name]
        if repo.gated:
            given = self.headers.get("Authorization")
            if given != f"Bearer {self.hub.token}":
                return self.refuse(403 if given else 401, "GatedRepo")
        if not repo.at(revision):
            return self.refuse(404, "RevisionNotFound")
        if file not in repo.files:
            return self.refuse(404, "EntryNotFound")
        data = repo.files[file]
        total = checksum(file, data)
        headers = {"X-Repo-Commit": repo.commit, "ETag": f'"{total}"'}
        if large(file):
            headers |= {"X-Linked-Etag": f'"{total}"', "X-Linked-Size": str(len(data))}
            headers |= {"Location": f"{self.hub.storage}/{name}/{file}", "ETag": '"the redirect"'}
            return self.answer(302, b"", headers)
        self.send(name, file, headers)

    def send(self, name: str, file: str, headers: Mapping[str, str]) -> None:
        """A file's content, from where the request wants it."""
        data, wanted = self.hub.repos[name].files[file], self.headers.get("Range")
        self.hub.asked.append((self.command, f"{name}/{file}", wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        whole, body = len(data), self.hub.content(file, data)[start:]
        ranged = {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"} if wanted else {}
        cut = self.hub.cut.get(file)
        most = None if cut is None else max(0, cut - start)
        self.answer(206 if wanted else 200, body, {**headers, **ranged}, most)

    def answer(
        self, status: int, body: bytes, headers: Mapping[str, str], most: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:most])
        self.close_connection = self.close_connection or most is not None

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, b"", {"X-Error-Code": code})


class Storage(Handler):
    """Where large files are: a request that brings a token is refused, as signed addresses do."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization"):
            return self.answer(400, b"", {})
        owner, repo, file = unquote(self.path).lstrip("/").split("/", 2)
        self.send(f"{owner}/{repo}", file, {})


@contextmanager
def running() -> Iterator[Hub]:
    """A hub, and its storage beside it."""
    hub = Hub()
    servers = []
    for kind, name in ((Handler, "url"), (Storage, "storage")):
        handler = type(kind.__name__, (kind,), {"hub": hub})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        setattr(hub, name, f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
    yield hub
    for server in servers:
        server.shutdown()
        server.server_close()
