"""Sets and the 3D face from where they are published, played by a local server."""

import io
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from file_hosts import FileHosts

from train import download
from train.download import Hosts, download_article, download_facekit
from train.facekit import FaceKit
from train.facekit_files import IDENTITIES
from train.sources import DataError, canada_photos, london_pairs, split_people
from train.sources.canada import canada_people

LONDON, CANADA = 5047666, 4220517
STRANGER = "017"  # is in the set, not in the split


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def archive(photos: list[str], folder: str = "") -> bytes:
    """As the sets' archives are: templates beside the photos, and what macOS adds."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for photo in photos:
            file.writestr(f"{folder}{photo}.jpg", f"photo {photo} {'-' * 50}")
            file.writestr(f"{folder}{photo}.tem", "template")
            file.writestr(f"__MACOSX/{folder}._{photo}.jpg", "macOS")
    return content.getvalue()


def london() -> dict[str, bytes]:
    people = [STRANGER, *chain(*split_people().values())]
    return {
        "neutral_front.zip": archive([f"{person}_03" for person in people], "neutral_front/"),
        "smiling_front.zip": archive([f"{person}_08" for person in people]),
        "neutral_left_3quarter.zip": archive([f"{person}_02" for person in people]),
        **{f"ratings_{number}.csv": b"1" for number in range(120)},  # more than a page
    }


def test_the_london_set_is_fetched_for_the_people_of_the_split_alone(tmp_path):
    with FileHosts({LONDON: london()}, broken=("neutral_front.zip",)) as web:
        download_article("london", tmp_path, web.hosts)
        assert not any("left_3quarter" in line or "ratings" in line for line in web.seen)
        half = len(london()["neutral_front.zip"]) // 2
        assert sum(line.endswith(f"bytes={half}-") for line in web.seen) >= 2  # it went on
        asked = len(web.seen)
        download_article("london", tmp_path, web.hosts)
        assert len(web.seen) == asked  # all is there
    for part, people in split_people().items():
        assert [pair.person for pair in london_pairs(tmp_path, part)] == people
    photos = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert len(photos) == 2 * 90 + 1
    assert f"{STRANGER}_03.jpg" not in photos
    neutral = (tmp_path / "neutral_front" / "001_03.jpg").read_text()
    assert neutral == f"photo 001_03 {'-' * 50}"


def test_the_canada_set_is_found_in_one_archive_of_all_folders(tmp_path):
    people = canada_people()
    content = {
        "faces.zip": archive([f"{p}_03" for p in people], "faces/neutral_front/"),
        "more.zip": archive([f"{p}_03" for p in people], "more/transforms/"),
    }
    with FileHosts({CANADA: content}) as web:
        download_article("canada", tmp_path, web.hosts)
    assert sorted(canada_photos(tmp_path)) == people


def test_a_file_that_is_not_what_was_listed_is_refused(tmp_path, monkeypatch):
    with FileHosts({LONDON: london()}) as web:
        monkeypatch.setattr(download, "md5", lambda path: "another")
        with pytest.raises(DataError, match="digest differs"):
            download_article("london", tmp_path, web.hosts)
    assert not list(tmp_path.rglob("*.jpg"))


def test_missing_photos_are_counted(tmp_path):
    content = london()
    content["smiling_front.zip"] = archive(["001_08"])
    with (
        FileHosts({LONDON: content}) as web,
        pytest.raises(DataError, match="held 91 of 180 photos; give the set's folder"),
    ):
        download_article("london", tmp_path, web.hosts)


def test_a_host_that_is_away_is_named_after_several_tries(tmp_path):
    away = Hosts(figshare="http://127.0.0.1:9/v2")
    with pytest.raises(DataError, match=r"download failed \(.*give the set's folder"):
        download_article("london", tmp_path, away)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "gopher://127.0.0.1:9"])
def test_a_proxy_of_an_unusable_kind_is_named(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(DataError, match=r"the proxy in HTTPS_PROXY, .* cannot be used"):
        download_article("london", tmp_path)


def test_an_answer_that_is_not_figshares_is_refused(tmp_path, monkeypatch):
    """Such as the page of a network that wants a login first."""
    monkeypatch.setattr("file_hosts.json.dumps", lambda files: "<html>Welcome</html>")
    with (
        FileHosts({LONDON: london()}) as web,
        pytest.raises(DataError, match="is no list of figshare's files"),
    ):
        download_article("london", tmp_path, web.hosts)


def test_a_download_killed_halfway_goes_on_when_started_again(tmp_path):
    """What is left of it is a part of the file; only the rest is asked for."""
    content = london()["smiling_front.zip"]
    (tmp_path / "smiling_front.zip.part").write_bytes(content[:1000])
    with FileHosts({LONDON: london()}) as web:
        download_article("london", tmp_path, web.hosts)
    (asked,) = [line for line in web.seen if "storage" in line and "smiling_front" in line]
    assert asked.endswith("bytes=1000-")
    assert len(london_pairs(tmp_path, "test")) == 18


def test_a_part_of_another_file_is_thrown_away(tmp_path):
    (tmp_path / "smiling_front.zip.part").write_bytes(b"x" * 1000)
    with FileHosts({LONDON: london()}) as web:
        download_article("london", tmp_path, web.hosts)
    assert len(london_pairs(tmp_path, "test")) == 18


def test_downloads_go_through_the_environments_proxy(tmp_path, monkeypatch):
    with FileHosts({LONDON: london()}) as web:
        monkeypatch.setenv("HTTP_PROXY", web.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        download_article("london", tmp_path, Hosts(figshare="http://figshare.example/v2"))
        assert web.seen[0].startswith("figshare.example/v2/articles/5047666/versions/5/files")
    assert len(london_pairs(tmp_path, "test")) == 18


def facekit() -> dict[str, bytes]:
    """Four vertices and a quadrilateral; each shape moves the first vertex by its number."""

    def obj(x: float) -> bytes:
        corners = [(x, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
        lines = ["# a comment", *("v {} {} {}".format(*corner) for corner in corners)]
        return "\n".join([*lines, "vt 0 0", "f 1/1 2/1 3/1 4/1"]).encode()

    shapes = ["jawOpen", "mouthSmile_L"] + [f"identity{number:03d}" for number in range(IDENTITIES)]
    indices = '{"expressions": ["jawOpen", "mouthSmile_L"], "idx_to_landmark_verts": [2, 0]}'
    return {
        "FaceXModel/generic_neutral_mesh.obj": obj(0),
        "FaceXModel/vertex_indices.json": indices.encode(),
        **{f"FaceXModel/{name}.obj": obj(1 + n) for n, name in enumerate(shapes)},
    }


def digests(files: dict[str, bytes], folder: Path) -> dict[str, str]:
    found = {}
    for name, content in files.items():
        (folder / "file").write_bytes(content)
        found[name] = download.git_blob(folder / "file")
    return found


def test_the_3d_face_is_made_from_its_repositorys_files(tmp_path, monkeypatch):
    files = facekit()
    monkeypatch.setattr(download, "ASSETS", digests(files, tmp_path))
    with FileHosts(raw=files, broken=("FaceXModel/jawOpen.obj",)) as web:
        download_facekit(tmp_path / "kit", web.hosts)
        assert all(download.COMMIT in line for line in web.seen)
    kit = FaceKit.load(tmp_path / "kit")
    assert kit.names == ("jawOpen", "mouthSmile_L")
    np.testing.assert_array_equal(kit.deltas[:, 0, 0], [1, 2])
    np.testing.assert_array_equal(kit.identities[:, 0, 0], 3 + np.arange(IDENTITIES))
    assert not kit.deltas[:, 1:].any()
    np.testing.assert_array_equal(kit.triangles, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(kit.landmarks, [2, 0])
    assert sorted(path.name for path in (tmp_path / "kit").iterdir()) == [
        "complete.txt",
        "facekit.npz",
    ]


def test_a_changed_file_of_the_3d_face_is_refused(tmp_path, monkeypatch):
    files = facekit()
    monkeypatch.setattr(download, "ASSETS", digests(files, tmp_path))
    files["FaceXModel/jawOpen.obj"] += b"\n"
    with (
        FileHosts(raw=files) as web,
        pytest.raises(DataError, match=r"jawOpen\.obj is not the file"),
    ):
        download_facekit(tmp_path / "kit", web.hosts)
    assert not (tmp_path / "kit" / "facekit.npz").exists()


def test_gits_digest_of_a_file_is_the_one_that_git_gives(tmp_path):
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert download.git_blob(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"
