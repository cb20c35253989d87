"""A growing expression as a moving picture that browsers play, in the colours of the photo."""

import functools
import importlib.util
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from profiles import display_p3

from g2gan import ImageError
from g2gan.strips import LONGEST, PACE, PAUSE, write_strip

CHROMIUM = "/usr/bin/chromium"
GROUND, SQUARE = (60, 120, 180), (200, 60, 40)


@pytest.fixture(params=["H.264", "VP9"])
def codec(request, monkeypatch) -> str:
    """With PyAV, and as where it is not installed."""
    if request.param == "VP9":
        monkeypatch.setitem(sys.modules, "av", None)
    elif importlib.util.find_spec("av") is None:
        pytest.skip("needs PyAV")
    return request.param


def moving(count: int = 5, size: tuple[int, int] = (160, 120)) -> list[Image.Image]:
    """A red square that goes to the right over a plain ground with a grain that stands still."""
    width, height = size
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 1))
    ground = np.clip(np.array(GROUND) + grain, 0, 255).astype(np.uint8)
    frames = []
    for number in range(count):
        frame = ground.copy()
        frame[40:80, 20 + 20 * number : 60 + 20 * number] = SQUARE
        frames.append(Image.fromarray(frame))
    return frames


def read_gif(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
    return frames


def read_mp4(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (frame := video.read()[1]) is not None:
        frames.append(frame[..., ::-1])
    return frames


def left_edge(frame: np.ndarray) -> int:
    return int(np.flatnonzero(frame[60, :, 0] > 130)[0])


def test_a_gif_goes_there_and_back_again_for_ever(tmp_path):
    path = write_strip(moving(), tmp_path / "a.gif")
    assert [left_edge(frame) for frame in read_gif(path)] == [20, 40, 60, 80, 100, 80, 60, 40]
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        assert image.info["duration"] == pytest.approx(1000 * (PAUSE + 1 / PACE), abs=10)
        assert b"AI" in image.info["comment"]


def test_lips_keep_their_colour_in_a_gif_that_is_mostly_skin_and_wall(tmp_path):
    rows, columns = np.mgrid[:240, :200]
    grain = np.random.default_rng(0).normal(0, 4, (240, 200, 3))
    light = (columns / 200 - 0.5)[..., None]
    skin = np.array((170, 130, 105)) + 120 * light + grain
    wall = np.array((205, 205, 205)) + 10 * light + grain
    face = np.hypot((columns - 100) / 70, (rows - 120) / 100) < 1
    lips = np.hypot((columns - 100) / 14, (rows - 170) / 4) < 1
    picture = np.where(face[..., None], skin, wall)
    picture[lips] = (np.array((165, 95, 100)) + 40 * light + grain)[lips]
    photo = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    (shown, *_) = read_gif(write_strip([photo] * 2, tmp_path / "a.gif"))
    np.testing.assert_allclose(shown[lips].mean(0), np.asarray(photo)[lips].mean(0), atol=1)


def test_what_does_not_move_does_not_flicker_in_a_gif(tmp_path):
    frames = read_gif(write_strip(moving(), tmp_path / "a.gif"))
    assert all(np.array_equal(frame[:, 150:], frames[0][:, 150:]) for frame in frames)
    assert np.abs(frames[0][:, 150:].mean((0, 1)) - GROUND).max() < 3


def test_an_mp4_pauses_at_both_ends(tmp_path, codec):
    frames = read_mp4(write_strip(moving(), tmp_path / "a.mp4"))
    edges = [left_edge(frame) for frame in frames]
    hold = round(PAUSE * PACE)
    expected = [20] * hold + [20, 40, 60, 80, 100] + [100] * hold + [80, 60, 40]
    assert np.abs(np.array(edges) - expected).max() <= 2


def test_sides_become_even_and_large_photos_small(tmp_path, codec):
    odd = [Image.new("RGB", (101, 75), GROUND)] * 3
    assert read_mp4(write_strip(odd, tmp_path / "a.mp4"))[0].shape[:2] in ((74, 100), (76, 100))
    large = [Image.new("RGB", (3000, 2000), GROUND)] * 2
    for suffix, longest in LONGEST.items():
        path = write_strip(large, tmp_path / f"b{suffix}")
        shape = (read_gif if suffix == ".gif" else read_mp4)(path)[0].shape
        assert abs(shape[1] - longest) <= 1
        assert abs(shape[0] - longest * 2 / 3) <= 2


def test_grey_and_transparent_pictures_are_shown_on_white(tmp_path):
    grey = [Image.new("L", (64, 64), value) for value in (50, 200)]
    assert np.abs(read_gif(write_strip(grey, tmp_path / "a.gif"))[1].astype(int) - 200).max() < 3
    clear = [Image.new("RGBA", (64, 64), (0, 0, 0, 0))] * 2
    assert read_gif(write_strip(clear, tmp_path / "b.gif"))[0].min() > 250


def test_colours_of_a_display_p3_photo_become_those_of_srgb(tmp_path):
    """P3's (200, 60, 40) is more saturated than sRGB's."""
    picture = Image.new("RGB", (64, 64), (200, 60, 40))
    picture.info["icc_profile"] = display_p3()
    shown = read_gif(write_strip([picture] * 2, tmp_path / "a.gif"))[0][32, 32].astype(int)
    linear = (np.array([200, 60, 40]) / 255) ** 2.2
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    mixed = np.clip(to_srgb @ linear, 0, 1)
    expected = np.where(mixed < 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055) * 255
    assert np.abs(shown - expected).max() < 6


def test_a_damaged_profile_is_passed_over(tmp_path):
    picture = Image.new("RGB", (64, 64), GROUND)
    picture.info["icc_profile"] = b"no profile"
    assert tuple(read_gif(write_strip([picture], tmp_path / "a.gif"))[0][0, 0]) == GROUND


def test_what_cannot_be_written_says_so_and_leaves_nothing(tmp_path, codec):
    with pytest.raises(ImageError, match=r"\.gif or \.mp4"):
        write_strip(moving(), tmp_path / "a.avi")
    with pytest.raises(ImageError, match="no picture"):
        write_strip([], tmp_path / "a.gif")
    for name in ("a.gif", "a.mp4"):
        with pytest.raises(OSError, match=r"missing|No such file"):
            write_strip(moving(), tmp_path / "missing" / name)
    assert not list(tmp_path.iterdir())


PLAY = """async (url) => {
  const video = document.createElement('video')
  video.muted = true
  video.src = url
  document.body.append(video)
  await video.play()
  await new Promise((done) => (video.onended = done))
  const canvas = document.createElement('canvas')
  const pen = canvas.getContext('2d')
  pen.drawImage(video, 0, 0)
  const colour = [...pen.getImageData(10, 10, 1, 1).data].slice(0, 3)
  return { width: video.videoWidth, seconds: video.duration, colour }
}"""


@pytest.fixture
def served(tmp_path) -> Iterator[str]:
    """The address of a server of the files in `tmp_path`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}")
def test_chromium_plays_an_mp4_in_its_colours(tmp_path, codec, served):
    playwright = pytest.importorskip("playwright.sync_api")
    write_strip([Image.new("RGB", (320, 240), GROUND)] * 4, tmp_path / "a.mp4")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(served)
        played = page.evaluate(PLAY, "/a.mp4")
        browser.close()
    assert played["width"] == 320
    assert played["seconds"] == pytest.approx((6 + 2 * round(PAUSE * PACE)) / PACE, abs=0.1)
    assert np.abs(np.array(played["colour"]) - GROUND).max() <= 4
