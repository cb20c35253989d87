"""A Hub in memory: the part of its HTTP interface that `huggingface_hub` speaks.

    with HubServer({"hf_token": User("me")}) as hub:  # and HF_ENDPOINT=hub.url in a child
        hub.files("models", "me/g2gan-london")

Models and Spaces, people with tokens, commits, tags, private repos, and large files by way of Git
LFS in several parts (the client must be told HF_HUB_DISABLE_XET=1).
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LARGE = 1 << 20  # bytes; larger files go through LFS
REQUEST = 8 << 20  # bytes of one request; an LFS file comes in parts of this size
REPO = r"(?P<kind>models|spaces)/(?P<id>[^/]+/[^/]+)"
RESOLVE = r"/(?P<space>spaces/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)"
LFS = r"/(?P<space>spaces/)?(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch"


@dataclass
class User:
    """Somebody with a token."""

    name: str
    organizations: tuple[str, ...] = ()
    role: str = "write"


@dataclass
class Repo:
    """A repo's commits, oldest first, each a whole tree; and its tags."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit({".gitattributes": b"*.safetensors filter=lfs\n"})

    def commit(self, files: dict[str, bytes]) -> str:
        digest = hashlib.sha1(str(len(self.commits)).encode())
        for path in sorted(files):
            digest.update(path.encode() + files[path])
        self.commits[digest.hexdigest()] = files
        return digest.hexdigest()

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, tag or commit; None where there is none."""
        name = self.head if revision == "main" else self.tags.get(revision, revision)
        return name if name in self.commits else None


class HubServer:
    """The server and what it holds; runs in a thread while its context is open.

    Args:
        users: token -> who has it.
    """

    def __init__(self, users: dict[str, User] | None = None) -> None:
        self.users = users or {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.stored: dict[str, bytes] = {}  # large files by SHA-256
        self.parts: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()
        self.large = LARGE
        self.capacity = 1000  # large files, before its disk is full
        self.requests: list[tuple[str, str, int]] = []  # method, path, bytes of the body
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """A repo's files without the .gitattributes that a Hub puts there."""
        repo = self.repos[kind, name]
        tree = repo.commits[repo.resolve(revision)]
        return {path: content for path, content in tree.items() if path != ".gitattributes"}

    def sent(self, method: str, part: str) -> list[int]:
        """Sizes of the requests of a method whose path contains `part`."""
        return [size for verb, path, size in self.requests if verb == method and part in path]


class _Refused(Exception):
    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status, self.message, self.code = status, message, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, *_: object) -> None:
        """Silence."""

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.route = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, self.route, len(self.body)))
        try:
            if len(self.body) > REQUEST:
                raise _Refused(413, "the request is too large")
            for method, pattern, answer in ROUTES:
                match = re.fullmatch(pattern, self.route)
                if match and method == self.command:
                    answer(self, **match.groupdict())
                    return
            raise _Refused(404, "Not Found")
        except _Refused as refusal:
            headers = {"X-Error-Message": refusal.message, "X-Error-Code": refusal.code}
            self._json({"error": refusal.message}, refusal.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _json(self, content: object, status: int = 200, headers: dict | None = None) -> None:
        kind = {"Content-Type": "application/json"}
        self._send(json.dumps(content).encode(), status, kind | (headers or {}))

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _user(self) -> User | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.users:
            raise _Refused(401, "Invalid credentials in Authorization header")
        return self.hub.users.get(token)

    def _may_write(self, namespace: str) -> None:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        if user.role != "write" or namespace not in (user.name, *user.organizations):
            raise _Refused(403, f"You don't have the rights to write to {namespace}")

    def _repo(self, kind: str | None, name: str, write: bool = False) -> Repo:
        kind = {"spaces/": "spaces", None: "models"}.get(kind, kind)
        repo, user = self.hub.repos.get((kind, name)), self._user()
        mine = user is not None and name.split("/")[0] in (user.name, *user.organizations)
        if repo is None or (repo.private and not mine):
            raise _Refused(404, "Repository not found", "RepoNotFound")
        if write:
            self._may_write(name.split("/")[0])
        return repo

    def _tree(self, repo: Repo, revision: str) -> tuple[str, dict[str, bytes]]:
        sha = repo.resolve(revision)
        if sha is None:
            raise _Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repo.commits[sha]

    def whoami(self) -> None:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        organizations = [{"name": name} for name in user.organizations]
        auth = {"accessToken": {"role": user.role}}
        self._json({"name": user.name, "orgs": organizations, "auth": auth})

    def create(self) -> None:
        asked = json.loads(self.body)
        namespace = asked["organization"] or self._user().name
        self._may_write(namespace)
        kind, name = f"{asked.get('type') or 'model'}s", f"{namespace}/{asked['name']}"
        exists = (kind, name) in self.hub.repos
        if not exists:
            if kind == "spaces":
                assert asked["sdk"] == "gradio"
            self.hub.repos[kind, name] = Repo(asked.get("visibility") == "private")
        prefix = "spaces/" if kind == "spaces" else ""
        status = 409 if exists else 200
        self._json({"url": f"{self.hub.url}/{prefix}{name}", "error": "exists"}, status)

    def settings(self, kind: str, id: str) -> None:
        repo, asked = self._repo(kind, id, write=True), json.loads(self.body)
        repo.private = asked.get("private", asked.get("visibility") == "private")
        self._json({"private": repo.private})

    def validate_yaml(self) -> None:
        """As strict as the Hub about what we write: a mapping, a short description."""
        asked = json.loads(self.body)
        front = yaml.safe_load(asked["content"].split("---\n")[1])
        needed = ("sdk", "app_file") if asked["repoType"] == "space" else ()
        errors = [{"message": f"{key} is required"} for key in needed if key not in front]
        if len(front.get("short_description", "")) > 60:
            errors.append({"message": "short_description must be at most 60 characters"})
        self._json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def info(self, kind: str, id: str, rev: str = "main") -> None:
        repo = self._repo(kind, id)
        sha, files = self._tree(repo, rev)
        siblings = [{"rfilename": path} for path in files]
        self._json({"id": id, "sha": sha, "private": repo.private, "siblings": siblings})

    def tree(self, kind: str, id: str, rev: str) -> None:
        assert parse_qs(urlsplit(self.path).query)["recursive"] == ["true"]
        _, files = self._tree(self._repo(kind, id), rev)
        self._json([_entry(path, content) for path, content in files.items()])

    def refs(self, kind: str, id: str) -> None:
        repo = self._repo(kind, id)
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
            for name, sha in repo.tags.items()
        ]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
        self._json({"branches": [main], "tags": tags, "converts": []})

    def tag(self, kind: str, id: str, rev: str) -> None:
        repo, name = self._repo(kind, id, write=True), json.loads(self.body)["tag"]
        if name in repo.tags:
            raise _Refused(409, "Tag reference exists already")
        repo.tags[name] = self._tree(repo, rev)[0]
        self._json({})

    def preupload(self, kind: str, id: str, rev: str) -> None:
        _, files = self._tree(self._repo(kind, id, write=True), rev)
        answers = []
        for asked in json.loads(self.body)["files"]:
            large = asked["size"] > self.hub.large
            answer = {"path": asked["path"], "uploadMode": "lfs" if large else "regular"}
            if asked["path"] in files:
                answer["oid"] = _digests(files[asked["path"]])[large]
            answers.append(answer | {"shouldIgnore": False})
        self._json({"files": answers})

    def commit(self, kind: str, id: str, rev: str) -> None:
        repo = self._repo(kind, id, write=True)
        files = dict(self._tree(repo, rev)[1])
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.commit(files)
        self._json({"commitOid": sha, "commitUrl": f"{self.hub.url}/{id}/commit/{sha}"})

    def lfs_batch(self, space: str | None, id: str) -> None:
        self._repo(space, id, write=True)
        objects = []
        for asked in json.loads(self.body)["objects"]:
            oid, size = asked["oid"], asked["size"]
            answer = {"oid": oid, "size": size}
            if oid not in self.hub.stored:  # what is here already need not be sent again
                place = f"{self.hub.url}/lfs/{oid}"
                parts = {str(n): f"{place}/{n}" for n in range(1, ceil(size / REQUEST) + 1)}
                header = {"chunk_size": str(REQUEST)} | parts
                answer["actions"] = {"upload": {"href": place, "header": header}}
            objects.append(answer)
        self._json({"transfer": "multipart", "objects": objects})

    def lfs_part(self, oid: str, number: str) -> None:
        self.hub.parts.setdefault(oid, {})[int(number)] = self.body
        self._send(b"", 200, {"ETag": hashlib.md5(self.body).hexdigest()})

    def lfs_complete(self, oid: str) -> None:
        with self.hub.lock:  # the client sends several files at a time
            parts = self.hub.parts.pop(oid)
            if len(self.hub.stored) >= self.hub.capacity:
                raise _Refused(507, "disk full")
            content = b"".join(parts[number] for number in sorted(parts))
            assert hashlib.sha256(content).hexdigest() == oid
            self.hub.stored[oid] = content
        self._json({"success": True})

    def resolve(self, space: str | None, id: str, rev: str, path: str) -> None:
        sha, files = self._tree(self._repo(space, id), rev)
        if path not in files:
            raise _Refused(404, "Entry not found", "EntryNotFound")
        content = files[path]
        digest = _digests(content)[len(content) > LARGE]
        self._send(content, 200, {"X-Repo-Commit": sha, "ETag": f'"{digest}"'})


def _digests(content: bytes) -> tuple[str, str]:
    """Names of a file's content: Git's and LFS's."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return git, hashlib.sha256(content).hexdigest()


def _entry(path: str, content: bytes) -> dict:
    git, lfs = _digests(content)
    entry = {"type": "file", "path": path, "size": len(content), "oid": git}
    if len(content) > LARGE:
        entry["lfs"] = {"oid": lfs, "size": len(content), "pointerSize": 134}
    return entry


REV = "(?P<rev>[^/]+)"
OID = "(?P<oid>[0-9a-f]{64})"
ROUTES = (
    ("GET", "/api/whoami-v2", _Handler.whoami),
    ("GET", f"/api/{REPO}", _Handler.info),
    ("GET", f"/api/{REPO}/revision/{REV}", _Handler.info),
    ("GET", f"/api/{REPO}/tree/{REV}", _Handler.tree),
    ("GET", f"/api/{REPO}/refs", _Handler.refs),
    ("GET", RESOLVE, _Handler.resolve),
    ("HEAD", RESOLVE, _Handler.resolve),
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate_yaml),
    ("POST", f"/api/{REPO}/preupload/{REV}", _Handler.preupload),
    ("POST", f"/api/{REPO}/commit/{REV}", _Handler.commit),
    ("POST", f"/api/{REPO}/tag/{REV}", _Handler.tag),
    ("PUT", f"/api/{REPO}/settings", _Handler.settings),
    ("POST", LFS, _Handler.lfs_batch),
    ("PUT", f"/lfs/{OID}/(?P<number>[0-9]+)", _Handler.lfs_part),
    ("POST", f"/lfs/{OID}", _Handler.lfs_complete),
)
