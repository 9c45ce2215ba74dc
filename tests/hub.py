"""A stand-in for the Hugging Face hub on the loopback interface, serving data sets from memory.

It answers the requests that `huggingface_hub.snapshot_download` makes: the revision, the file tree,
and files with ``HEAD`` and (ranged) ``GET``. It logs what was downloaded and can refuse files.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from urllib.parse import unquote, urlsplit
from zipfile import ZIP_STORED, ZipFile, ZipInfo

Files = Mapping[str, bytes]


def zipped(entries: Files) -> bytes:
    """Pack entries as publishers do: stored, with their times, folders and macOS litter."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(ZipInfo(name, date_time=(2024, 6, 13, 12, 30, 4)), data)
        archive.writestr(ZipInfo("folder/"), b"")
        archive.writestr(ZipInfo("__MACOSX/._litter.mp4"), b"litter")
    return content.getvalue()


def tarred(entries: Files) -> bytes:
    """Pack entries into a tar file with their times and their folders."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for folder in sorted({name.rpartition("/")[0] for name in entries}):
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        for name, data in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1_718_000_000
            archive.addfile(entry, BytesIO(data))
    return content.getvalue()


class Hub(ThreadingHTTPServer):
    """Serves ``{repo: {revision: {path: content}}}``; the last revision is ``main``."""

    daemon_threads = True

    def __init__(self, repos: Mapping[str, Mapping[str, Files]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos = repos
        self.gated: set[str] = set()
        self.broken: set[str] = set()
        """Paths whose download answers with an error of the server."""
        self.cut: set[str] = set()
        """Paths whose next download loses its connection half way."""
        self.claimed: dict[str, int] = {}
        """Sizes announced for paths in place of their real ones."""
        self.downloaded: list[str] = []
        self.requests = 0

    @property
    def endpoint(self) -> str:
        """Address to pass as ``endpoint``."""
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, repo: str, revision: str) -> str | None:
        """Resolve a branch or commit of a repository."""
        commits = self.repos.get(repo, {})
        return (
            list(commits)[-1] if revision == "main" else revision if revision in commits else None
        )


@contextmanager
def serve(repos: Mapping[str, Mapping[str, Files]]) -> Iterator[Hub]:
    """Run a hub until the block ends."""
    from huggingface_hub import close_session

    with Hub(repos) as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            close_session()
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.requests += 1
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        match parts:
            case ["api", "datasets", owner, name, "revision", revision]:
                self._repo(f"{owner}/{name}", revision)
            case ["api", "datasets", owner, name, "tree", revision]:
                self._tree(f"{owner}/{name}", revision)
            case ["datasets", owner, name, "resolve", revision, *path]:
                self._file(f"{owner}/{name}", revision, "/".join(path))
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "RepoNotFound")

    def _repo(self, repo: str, revision: str) -> None:
        commit = self._commit(repo, revision)
        if commit:
            files = [{"rfilename": path} for path in self.server.repos[repo][commit]]
            self._json({"id": repo, "sha": commit, "siblings": files})

    def _tree(self, repo: str, revision: str) -> None:
        commit = self._commit(repo, revision)
        if commit:
            tree = self.server.repos[repo][commit].items()
            self._json(
                [
                    {"type": "file", "path": path, "size": len(content), "oid": _etag(content)}
                    for path, content in tree
                ]
            )

    def _file(self, repo: str, revision: str, path: str) -> None:
        commit = self._commit(repo, revision)
        if not commit:
            return
        if repo in self.server.gated:
            self._refuse(HTTPStatus.FORBIDDEN, "GatedRepo")
        elif self.command == "HEAD":
            self._content(
                commit, self.server.repos[repo][commit][path], size=self.server.claimed.get(path)
            )
        elif path in self.server.broken:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "Broken")
        else:
            self.server.downloaded.append(path)
            self._content(commit, self.server.repos[repo][commit][path], cut=self._cut(path))

    def _commit(self, repo: str, revision: str) -> str | None:
        """Resolve the revision, or answer that there is none."""
        if repo not in self.server.repos:
            self._refuse(HTTPStatus.UNAUTHORIZED, "RepoNotFound")
            return None
        commit = self.server.commit(repo, revision)
        if commit is None:
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        return commit

    def _cut(self, path: str) -> bool:
        cut = path in self.server.cut
        self.server.cut.discard(path)
        return cut

    def _content(
        self, commit: str, content: bytes, *, size: int | None = None, cut: bool = False
    ) -> None:
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
        start = int(wanted)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{_etag(content)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(size or len(content) - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start : len(content) // 2] if cut else content[start:])
        self.close_connection = cut

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
