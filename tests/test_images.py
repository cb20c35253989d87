import io
import warnings
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from g2gan.errors import ImageError
from g2gan.images import open_photo

ORIENTATION = 0x0112  # the EXIF tag


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_an_untouched_photo_comes_back_bit_for_bit(tmp_path, mode):
    channels = len(mode)
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, channels), np.uint8)
    original = Image.fromarray(pixels.squeeze())
    assert original.mode == mode
    photo = open_photo(saved(tmp_path / "a.png", original))
    result = photo.to_pil(photo.rgb)
    assert result.mode == mode
    assert np.array_equal(np.asarray(result), np.asarray(original))


def test_path_string_pil_image_and_array_give_the_same(tmp_path, rgb):
    path = saved(tmp_path / "a.png", Image.fromarray(rgb))
    for source in (path, str(path), Image.fromarray(rgb), rgb):
        assert np.array_equal(open_photo(source).rgb, rgb)


def test_grey_and_rgba_arrays_keep_their_mode(rgb):
    assert open_photo(rgb[..., 0]).mode == "L"
    photo = open_photo(np.dstack([rgb, rgb[..., 0]]))
    assert photo.mode == "RGBA"
    assert np.array_equal(photo.alpha, rgb[..., 0])


def test_an_opened_array_does_not_follow_later_changes_of_it(rgb):
    photo = open_photo(rgb)
    before = photo.rgb.copy()
    rgb[:] = 0
    assert np.array_equal(photo.rgb, before)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_exif_orientation_is_applied_to_files_and_pil_images(tmp_path, rgb, orientation, turn):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(tmp_path / "a.png", Image.fromarray(rgb), exif=exif)
    with Image.open(path) as image:
        assert np.array_equal(open_photo(image).rgb, turn(rgb))
        assert image.size == (64, 48)  # the caller's image is as it was
    photo = open_photo(path)
    assert np.array_equal(photo.rgb, turn(rgb))
    assert photo.to_pil(photo.rgb).size == photo.size


def test_a_palette_becomes_rgb(tmp_path, rgb):
    palette = Image.fromarray(rgb).quantize(16)
    photo = open_photo(saved(tmp_path / "a.png", palette))
    assert photo.mode == "RGB"
    assert np.array_equal(photo.rgb, np.asarray(palette.convert("RGB")))


def test_a_palette_with_transparency_becomes_rgba(tmp_path, rgb):
    palette = Image.fromarray(rgb).quantize(16)
    photo = open_photo(saved(tmp_path / "a.png", palette, transparency=3))
    assert photo.mode == "RGBA"
    assert np.array_equal(photo.alpha == 0, np.asarray(palette) == 3)


def test_cmyk_becomes_rgb(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("CMYK", (40, 40), (0, 255, 255, 0)))
    photo = open_photo(path)
    assert photo.mode == "RGB"
    assert np.abs(photo.rgb.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_16_bit_ramp_stays_a_ramp(tmp_path, suffix):
    ramp = np.tile(np.linspace(0, 65535, 256).round().astype(np.uint16), (40, 1))
    photo = open_photo(saved(tmp_path / f"a.{suffix}", Image.fromarray(ramp)))
    assert photo.mode == "L"
    assert np.array_equal(photo.rgb[0, :, 0], np.arange(256))


def test_one_bit_becomes_grey(tmp_path):
    bits = np.random.default_rng(2).random((40, 40)) > 0.5
    photo = open_photo(saved(tmp_path / "a.png", Image.fromarray(bits)))
    assert photo.mode == "L"
    assert np.array_equal(photo.rgb[..., 0], bits * np.uint8(255))


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    red, blue = (Image.new("RGB", (40, 40), name) for name in ("red", "blue"))
    path = saved(tmp_path / "a.gif", red, save_all=True, append_images=[blue])
    assert (open_photo(path).rgb == [255, 0, 0]).all()


@pytest.fixture(params=["heic", "avif"])
def telephone_photo(request, tmp_path):
    """Writes a smooth picture as HEIC or AVIF; the path and the pixels."""

    def save(**options):
        pillow_heif.register_heif_opener()
        rows, columns = np.mgrid[0:96, 0:128]
        smooth = np.stack([rows, columns, 128 + 0 * rows], 2).astype(np.uint8)
        path = tmp_path / f"a.{request.param}"
        try:
            Image.fromarray(smooth).save(path, quality=95, **options)
        except (KeyError, OSError, RuntimeError) as error:
            pytest.skip(f"the installed libraries do not write {request.param}: {error}")
        return path, smooth

    return save


def test_heic_and_avif_are_read(telephone_photo):
    path, smooth = telephone_photo()
    photo = open_photo(path)
    assert photo.mode == "RGB"
    assert np.abs(photo.rgb.astype(int) - smooth).mean() < 3


def test_heic_and_avif_are_turned_upright_once(telephone_photo):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path, smooth = telephone_photo(exif=exif.tobytes())
    assert np.abs(open_photo(path).rgb.astype(int) - np.rot90(smooth, -1)).mean() < 3


def test_a_damaged_heic_or_avif_is_an_error_of_one_line(telephone_photo):
    path, _ = telephone_photo()
    content = path.read_bytes()
    for kept in (20, 200, len(content) // 2, len(content) - 50):
        path.write_bytes(content[:kept])
        with pytest.raises(ImageError, match="save it") as caught:
            open_photo(path)
        assert "\n" not in str(caught.value)


def test_16_bit_colour_becomes_8_bit(tmp_path, rgb):
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1].astype(np.uint16) * 257)
    photo = open_photo(tmp_path / "a.png")
    assert photo.mode == "RGB"
    assert np.array_equal(photo.rgb, rgb)


def test_20_megapixels_are_fine(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("RGB", (5200, 3900), "tan"))
    assert open_photo(path).size == (5200, 3900)


def test_a_colour_profile_goes_with_the_result(tmp_path, rgb):
    path = saved(tmp_path / "a.png", Image.fromarray(rgb), icc_profile=b"a profile")
    photo = open_photo(path)
    assert photo.to_pil(photo.rgb).info["icc_profile"] == b"a profile"


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    # only the header tells the size: decoding would fail with another message
    path = saved(tmp_path / "a.png", Image.new("L", (400, 300)))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match="megapixels"):
        open_photo(path, max_pixels=100_000)


@pytest.mark.parametrize("side", [10_000, 14_200])  # Pillow warns of the one, refuses the other
def test_a_decompression_bomb_is_one_quiet_error(tmp_path, side):
    path = tmp_path / "bomb.png"
    header = io.BytesIO()
    Image.new("1", (32, 32)).save(header, "PNG")
    content = bytearray(header.getvalue())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="make it smaller"):
            open_photo(path)


def damaged(rgb):
    whole = io.BytesIO()
    Image.fromarray(rgb).save(whole, "JPEG", quality=95)
    return whole.getvalue()[:-2000]


@pytest.mark.parametrize(
    "content",
    [b"", b"only text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", None],
    ids=["empty", "text", "svg", "signature alone", "truncated"],
)
def test_what_is_no_whole_photo_is_an_error_of_one_line(tmp_path, rgb, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(damaged(rgb) if content is None else content)
    with pytest.raises(ImageError, match="save it") as caught:
        open_photo(path)
    assert "\n" not in str(caught.value)


def test_a_postscript_file_is_not_run(tmp_path, rgb):
    with pytest.raises(ImageError):
        open_photo(saved(tmp_path / "a.eps", Image.fromarray(rgb)))


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        open_photo(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="folder"):
        open_photo(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((3, 3, 3), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint16),
        np.zeros((64, 64, 2), np.uint8),
        np.zeros(64, np.uint8),
        Image.new("RGB", (31, 400)),
        Image.new("F", (64, 64)),
        None,
        b"bytes",
    ],
    ids=["tiny", "float", "uint16", "two channels", "flat", "narrow", "F", "None", "bytes"],
)
def test_what_cannot_be_a_photo_is_an_image_error(source):
    with pytest.raises(ImageError):
        open_photo(source)


def test_a_float_array_is_told_to_become_uint8():
    with pytest.raises(ImageError, match="uint8"):
        open_photo(np.zeros((64, 64, 3)))
