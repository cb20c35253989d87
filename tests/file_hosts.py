"""figshare and GitHub's files in memory, with the bad days that downloads meet.

    with FileHosts(articles={5047666: {"neutral_front.zip": b"..."}}) as web:
        web.hosts

A file is sent by way of a redirect. The first time it breaks off halfway, the second time the host
is busy; after that it comes, from where the client asks.
"""

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from train.download import Hosts


@dataclass
class FileHosts:
    """The server.

    Args:
        articles: number → file name → content.
        raw: path after GitHub's repository and commit → content.
        broken: files whose first answers fail, by name; all others come at once.
    """

    articles: dict[int, dict[str, bytes]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)  # what was asked for, ranges included

    def __enter__(self) -> "FileHosts":
        asked: Counter[str] = Counter()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_) -> None:
                pass

            def do_GET(self) -> None:
                url = urlsplit(self.path)  # whole where the server is asked as a proxy
                part = self.headers.get("Range", "")
                owner.seen.append(f"{url.netloc}{url.path} {part}".strip())
                _, kind, *rest = url.path.split("/")
                if kind == "v2":
                    self.send_list(int(rest[1]), parse_qs(url.query))
                elif kind == "download":
                    self.send_response(302)
                    self.send_header("Location", f"/storage/{'/'.join(rest)}")
                    self.end_headers()
                elif kind == "storage":
                    self.send_file(rest[1], owner.articles[int(rest[0])][rest[1]])
                elif (path := "/".join(rest[2:])) in owner.raw:
                    self.send_file(path, owner.raw[path])
                else:
                    self.send_error(404)

            def send_list(self, article: int, query: dict) -> None:
                files = [
                    {
                        "name": name,
                        "download_url": f"{owner.url}/download/{article}/{name}",
                        "computed_md5": hashlib.md5(content).hexdigest(),
                    }
                    for name, content in owner.articles[article].items()
                ]
                page, size = (int(query[key][0]) for key in ("page", "page_size"))
                body = json.dumps(files[(page - 1) * size : page * size]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def send_file(self, name: str, content: bytes) -> None:
                asked[name] += 1
                if name in owner.broken and asked[name] == 2:
                    self.send_error(503)
                    return
                wanted = self.headers.get("Range")
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                breaks = name in owner.broken and asked[name] == 1
                self.wfile.write(content[start : len(content) // 2 if breaks else None])

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def hosts(self) -> Hosts:
        return Hosts(figshare=f"{self.url}/v2", github=self.url)
