"""The embedded checkpoint's data from where it is published: two sets on figshare, ICT-FaceKit.

    python -m train.download --out data/downloads

figshare's public article interface lists each set's files with their MD5; of the archives only the
photos of people in the project's split are kept. ICT-FaceKit comes from its pinned commit, each
file checked against git's own digest of it. A download that breaks off is tried again and goes on
where it was; proxies are those of the environment (HTTPS_PROXY).

This was run against a local server that plays both hosts, never against the real ones.
"""

import argparse
import hashlib
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import httpx2
from tqdm import tqdm

from train.command import mistakes_are_said
from train.facekit_files import ASSETS, COMMIT, write_kit
from train.files import write_text
from train.sources import DataError
from train.sources.canada import canada_people
from train.sources.london import split_people

TRIES = 5
TIMEOUT = 60.0  # seconds without an answer
PAUSE = 2.0  # seconds before the second try, doubled each time
BUSY = (408, 425, 429, 500, 502, 503, 504)
FOLDERS = {"03": "neutral_front", "08": "smiling_front"}  # by the number of a photo
FILE_KEYS = ("name", "download_url", "computed_md5")
DONE = "complete.txt"  # written last: whence the folder's content comes


@dataclass(frozen=True)
class Hosts:
    """Where to ask; tests play these."""

    figshare: str = "https://api.figshare.com/v2"
    github: str = "https://raw.githubusercontent.com"


PUBLIC = Hosts()


@dataclass(frozen=True)
class Article:
    """A set on figshare.

    Args:
        number, version: of the article; its DOI is `10.6084/m9.figshare.NUMBER.vVERSION`.
        view: matches the names of the archives of frontal photos, or of folders in them.
        photos: matches the photos' file names; the groups are the person and the photo's number.
        people: who is kept, each with one photo in each of `FOLDERS`' numbers that `photos` allows.
        kept: how many photos that makes.
    """

    number: int
    version: int
    view: str
    photos: str
    people: Callable[[], list[str]]
    kept: int


ARTICLES = {
    "london": Article(
        5047666,
        5,
        r"(neutral|smiling)[ _-]?front",
        r"(\d{3})_(03|08)\.jpg",
        lambda: [*chain(*split_people().values())],
        kept=180,
    ),
    "canada": Article(
        4220517,
        1,
        r"neutral[ _-]?front",
        r"(\d{3}[fm])_(03)\.jpg",
        canada_people,
        kept=37,
    ),
}


def download_article(name: str, out: Path, hosts: Hosts = PUBLIC) -> Path:
    """The photos of a set of `ARTICLES` in `out`, as its archives unpack; `out`.

    Raises:
        DataError: it cannot be fetched, a digest differs, or photos are missing.
    """
    if (out / DONE).is_file():
        return out
    article = ARTICLES[name]
    out.mkdir(parents=True, exist_ok=True)
    with client() as web:
        files = list(_listed(web, hosts.figshare, article))
        archives = [file for file in files if file["name"].lower().endswith(".zip")]
        named = [x for x in archives if re.search(article.view, x["name"], re.IGNORECASE)]
        kept: set[str] = set()
        for file in named or archives:
            archive = out / Path(file["name"]).name
            fetch(web, file["download_url"], archive, file["computed_md5"], md5)
            kept |= set(_unpack(archive, out, article))
            archive.unlink()
    if len(kept) != article.kept:
        raise DataError(
            f"the archives of figshare article {article.number} held {len(kept)} of "
            f"{article.kept} photos; give the set's folder instead"
        )
    write_text(out / DONE, f"figshare {article.number}, version {article.version}\n")
    return out


def _listed(web: httpx2.Client, host: str, article: Article) -> Iterator[dict]:
    """Every file of the article, with `FILE_KEYS`."""
    place = f"{host}/articles/{article.number}/versions/{article.version}"
    page, size = 1, 100
    while True:
        answer = _patiently(
            lambda page=page: web.get(f"{place}/files", params={"page": page, "page_size": size})
        )
        try:
            files = [{key: file[key] for key in FILE_KEYS} for file in answer.json()]
        except (ValueError, TypeError, KeyError) as error:  # of a proxy that wants a login, perhaps
            raise DataError(
                f"{answer.url} is no list of figshare's files; give the set's folder instead"
            ) from error
        yield from files
        if len(files) < size:
            return
        page += 1


def _unpack(archive: Path, out: Path, article: Article) -> Iterator[str]:
    """Write the wanted photos of an archive and say their names; all else stays in it."""
    people = set(article.people())
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            place, _, name = f"{archive.name}/{entry.filename}".lower().rpartition("/")
            match = re.fullmatch(article.photos, name)  # macOS leaves ._ files beside photos
            if match and match[1] in people and re.search(article.view, place):
                folder = out / FOLDERS[match[2]]
                folder.mkdir(exist_ok=True)
                (folder / name).write_bytes(content.read(entry))
                yield name


def download_facekit(out: Path, hosts: Hosts = PUBLIC) -> Path:
    """`facekit.npz` in `out`, made from the files of the pinned commit; `out`.

    Raises:
        DataError: a file cannot be fetched or differs from the commit's.
    """
    if (out / DONE).is_file():
        return out
    assets = out / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    with client() as web:
        for path, digest in tqdm(ASSETS.items(), desc="ICT-FaceKit", unit="file"):
            url = f"{hosts.github}/ICT-VGL/ICT-FaceKit/{COMMIT}/{path}"
            fetch(web, url, assets / Path(path).name, digest, git_blob)
    write_kit(assets, out)
    for path in assets.iterdir():
        path.unlink()
    assets.rmdir()
    write_text(out / DONE, f"ICT-FaceKit {COMMIT}\n")
    return out


@contextmanager
def client() -> Iterator[httpx2.Client]:
    """Follows redirects; proxies and certificates are the environment's.

    Raises:
        DataError: the environment names a proxy of a kind that cannot be used.
    """
    try:
        web = httpx2.Client(follow_redirects=True, timeout=TIMEOUT)
    except (ValueError, ImportError) as error:
        raise DataError(
            f"the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used: {error}"
        ) from error
    with web:
        yield web


def fetch(
    web: httpx2.Client, url: str, path: Path, digest: str, digest_of: Callable[[Path], str]
) -> None:
    """Download a file unless it is there; what breaks off goes on where it was.

    Raises:
        DataError: it cannot be fetched, or is not the file that the digest is of.
    """
    if path.is_file() and digest_of(path) == digest:
        return
    unfinished = path.with_name(f"{path.name}.part")

    def go_on() -> None:
        have = unfinished.stat().st_size if unfinished.is_file() else 0
        headers = {"Accept-Encoding": "identity"}  # the digests are of the files as they are
        if have:
            headers["Range"] = f"bytes={have}-"
        with web.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 416:  # nothing is left to send
                return
            answer.raise_for_status()
            with unfinished.open("ab" if answer.status_code == 206 else "wb") as file:
                for chunk in answer.iter_raw():
                    file.write(chunk)

    for _ in range(2):  # a part that another file left behind is thrown away once
        _patiently(go_on)
        if digest_of(unfinished) == digest:
            unfinished.replace(path)
            return
        unfinished.unlink()
    raise DataError(f"{url} is not the file it should be: its digest differs")


def _patiently(ask: Callable):
    """The answer, after several tries where the host is busy or the connection breaks."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            answer = ask()
            if isinstance(answer, httpx2.Response):
                answer.raise_for_status()
            return answer
        except httpx2.HTTPStatusError as error:
            last = error
            if error.response.status_code not in BUSY:
                break
        except httpx2.TransportError as error:
            last = error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:  # another try helps nobody
            last = error
            break
    reason = str(last).splitlines()[0] if str(last) else type(last).__name__
    raise DataError(f"the download failed ({reason}); give the set's folder instead") from last


def md5(path: Path) -> str:
    """As figshare lists it."""
    return _digest(path, hashlib.md5(usedforsecurity=False))


def git_blob(path: Path) -> str:
    """Git's name of a file's content, which the pinned commit fixes."""
    return _digest(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False))


def _digest(path: Path, digest) -> str:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/downloads"))
    out = parser.parse_args().out
    for name in ARTICLES:
        print(download_article(name, out / name))
    print(download_facekit(out / "facekit"))


if __name__ == "__main__":
    main()
