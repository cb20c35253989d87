"""The base flow of two shapes, and edits applied at the photo's own resolution."""

import cv2
import numpy as np
import pytest
import torch
from tiny import face_mesh, smile

from g2gan.alignment import WORKING, eye_centres, transform
from g2gan.flow import (
    GRAIN,
    MARGIN,
    RINGS,
    SHUT,
    STILL,
    UNLIT,
    UNPAINTED,
    WIDE,
    Edit,
    apply,
    base_flow,
    border_ramp,
    gates,
    paint_gate,
    seams,
    warp_photo,
)
from g2gan.mesh import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
)
from g2gan.models.warp_generator import WarpFields, render

SIDE = WORKING.side
INNER = slice(MARGIN, -MARGIN)


def working_mesh() -> np.ndarray:
    return transform(WORKING.matrix(face_mesh()), face_mesh())


def smiling_mesh() -> np.ndarray:
    """The same face smiling, in the neutral face's frame."""
    return transform(WORKING.matrix(face_mesh()), smile(face_mesh()))


def filled(outline: np.ndarray) -> np.ndarray:
    """Boolean (WIDE, WIDE): inside an outline in crop pixels."""
    mask = np.zeros((WIDE, WIDE), np.uint8)
    return cv2.fillPoly(mask, [np.rint((outline + MARGIN) * 16).astype(int)], 1, shift=4) > 0


def shrunk(mask: np.ndarray, pixels: int = 2) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2)) > 0


def last_ring(mesh: np.ndarray) -> np.ndarray:
    oval = mesh[list(FACE_OVAL), :2]
    return oval.mean(0) + (oval - oval.mean(0)) * (1 + RINGS[-1][0])


def similarity(scale: float, degrees: float, photo_centre: tuple[float, float]) -> np.ndarray:
    """Photo to crop: `scale` crop pixels a photo pixel, a photo's point in the crop's middle."""
    angle = np.radians(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, SIDE / 2 - linear @ photo_centre])


def smooth_noise(
    rng: np.random.Generator, side: int, channels: int, spread: float, coarse: int = 10
) -> np.ndarray:
    small = rng.normal(0, spread, (coarse, coarse, channels)).astype(np.float32)
    grown = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return grown.reshape(side, side, channels)


def nothing(**fields: np.ndarray) -> Edit:
    """An edit that does nothing but the given fields."""
    empty = {
        "flow": np.zeros((WIDE, WIDE, 2), np.float32),
        "shading": np.zeros((SIDE, SIDE, 3), np.float32),
        "mask": np.zeros((SIDE, SIDE), np.float32),
        "colour": np.zeros((SIDE, SIDE, 3), np.float32),
    }
    return Edit(**{**empty, **fields})


def random_edit(seed: int) -> Edit:
    """Smooth fields that fade at the border as the pipeline's do; some of them empty."""
    rng = np.random.default_rng(seed)
    strengths = rng.permutation([0.0, 1.0, 1.0])
    ramp = border_ramp(SIDE, 16)[..., None]
    flow = smooth_noise(rng, WIDE, 2, 5 * strengths[0]) * border_ramp(WIDE, 24)[..., None]
    shading = smooth_noise(rng, SIDE, 3, 0.2 * strengths[1]) * ramp
    mask = np.clip(smooth_noise(rng, SIDE, 1, strengths[2]) * ramp, 0, 1)[..., 0]
    colour = np.clip(smooth_noise(rng, SIDE, 3, 0.3) + 0.5, 0, 1)
    erased = np.clip(smooth_noise(rng, SIDE, 1, strengths[1]) * ramp, 0, 1)[..., 0]
    return Edit(flow, shading, mask, colour, erased, even=colour)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def largest_step(picture: np.ndarray) -> int:
    """The greatest difference of two neighbouring pixels."""
    picture = picture.astype(int)
    return max(np.abs(np.diff(picture, axis=axis)).max() for axis in (0, 1))


def test_equal_shapes_have_no_flow_and_give_back_the_photo():
    mesh, photo = face_mesh(), noise(512, 512)
    assert not base_flow(working_mesh(), working_mesh()).any()
    np.testing.assert_array_equal(warp_photo(photo, mesh, mesh), photo)


def test_a_change_of_depth_alone_moves_nothing():
    deeper = working_mesh() + np.array([0, 0, 5])
    assert not base_flow(working_mesh(), deeper).any()


def test_a_rigid_shift_is_the_flow_inside_the_face_and_nothing_beyond_the_last_ring():
    source, shift = working_mesh(), np.array([3.25, -2.5])
    target = source + np.append(shift, 0)
    flow = base_flow(source, target)
    inside = shrunk(filled(target[list(FACE_OVAL), :2]))
    assert inside.sum() > 20_000
    np.testing.assert_allclose(
        flow[inside], np.broadcast_to(-shift, flow[inside].shape), atol=0.02
    )  # the rim is smoothed
    beyond = shrunk(~filled(last_ring(source)))
    assert beyond.sum() > 30_000
    assert np.abs(flow[beyond]).max() < 1e-6


def test_the_rings_fade_outwards():
    source = working_mesh()
    flow = base_flow(source, source + np.array([4, 0, 0]))
    oval = source[list(FACE_OVAL), :2]
    centre, temple = oval.mean(0), source[454, :2]  # along a row from the face outwards
    steps = np.linspace(1.05, 1 + RINGS[-1][0], 12)
    places = np.rint(centre + (temple - centre) * steps[:, None]).astype(int) + MARGIN
    strength = -flow[places[:, 1], places[:, 0], 0]
    assert (np.diff(strength) <= 1e-4).all()
    assert strength[0] > 3.4
    assert strength[-1] < 0.1


def test_an_affine_movement_is_reproduced_inside_the_face():
    source = working_mesh()
    centre = source[list(FACE_OVAL), :2].mean(0)
    linear = np.array([[1.06, 0.03], [-0.04, 0.95]])
    target = source.copy()
    target[:, :2] = (source[:, :2] - centre) @ linear.T + centre
    at = np.stack(np.meshgrid(*[np.arange(WIDE) - float(MARGIN)] * 2), -1)
    truth = (at - centre) @ np.linalg.inv(linear).T + centre - at
    inside = shrunk(filled(target[list(FACE_OVAL), :2]))
    wrong = np.linalg.norm(base_flow(source, target) - truth, axis=2)[inside]
    assert np.median(wrong) < 1e-3
    assert np.quantile(wrong, 0.99) < 0.1  # pixels drawn just outside their triangle are clipped
    assert wrong.max() < 1


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0, -1.0])
def test_no_flow_is_longer_than_the_longest_movement_of_a_point(strength):
    """Also where the lips close and triangles become slivers."""
    neutral, smiling = working_mesh(), smiling_mesh()
    for source, target in ((neutral, smiling), (smiling, neutral)):
        asked = source + strength * (target - source)
        longest = np.linalg.norm((asked - source)[:, :2], axis=1).max()
        sealing = SHUT[1] / 2 * WORKING.eye_distance * SIDE  # lips that close meet in the middle
        flow = base_flow(source, asked)
        assert 0.9 * longest < np.linalg.norm(flow, axis=2).max() <= longest + sealing


def test_the_flow_at_a_landmark_points_back_to_where_it_came_from():
    source, target = working_mesh(), smiling_mesh()
    flow = base_flow(source, target)
    for index in (61, 291, 17, 205, 425):  # mouth corners, lower lip, cheeks
        x, y = np.rint(target[index, :2]).astype(int) + MARGIN
        np.testing.assert_allclose(flow[y, x], (source - target)[index, :2], atol=0.5)


def test_without_margin_the_flow_is_the_centre_of_the_wide_one():
    source, target = working_mesh(), smiling_mesh()
    wide, own = base_flow(source, target), base_flow(source, target, margin=0)
    assert wide.shape == (WIDE, WIDE, 2)
    assert own.shape == (SIDE, SIDE, 2)
    np.testing.assert_allclose(own, wide[INNER, INNER], atol=5e-3)


def test_the_flow_is_nothing_on_its_own_border_even_for_a_large_face():
    source = working_mesh()
    source[:, :2] = (source[:, :2] - SIDE / 2) * 2 + SIDE / 2
    flow = base_flow(source, source + np.array([6, 6, 0]))
    border = np.ones((WIDE, WIDE), bool)
    border[1:-1, 1:-1] = False
    assert not flow[border].any()
    assert np.abs(flow).max() > 5


def test_the_border_ramp_rises_from_0_to_1_and_never_falls():
    ramp = border_ramp(64, 10)
    assert not ramp[0].any()
    assert not ramp[:, -1].any()
    assert (ramp[10:-10, 10:-10] == 1).all()
    assert (np.diff(ramp[32, :32]) >= 0).all()
    np.testing.assert_array_equal(ramp, ramp.T)
    np.testing.assert_array_equal(ramp, ramp[::-1])


def test_the_gate_is_open_on_mouth_and_lids_and_closed_on_the_skin():
    mesh = smiling_mesh()
    gate = paint_gate(mesh)
    assert gate.shape == (SIDE, SIDE)
    assert gate.min() == 0
    assert gate.max() <= 1
    for ring in (OUTER_LIPS, INNER_LIPS, RIGHT_EYE, LEFT_EYE):
        x, y = np.rint(mesh[list(ring), :2].mean(0)).astype(int)
        assert gate[y, x] > 0.95
    for index in (1, 10, 152, 205, 425, 151):  # nose, forehead, chin, cheeks
        x, y = np.rint(mesh[index, :2]).astype(int)
        assert gate[y, x] == 0


def test_detail_may_change_on_the_skin_and_nowhere_else():
    mesh = smiling_mesh()
    paintable, gate = gates(mesh)
    np.testing.assert_array_equal(paintable, paint_gate(mesh))
    assert gate.shape == (SIDE, SIDE)
    assert gate.min() == 0
    assert gate.max() <= 1
    for index in (1, 151, 205, 425, 200):  # nose, forehead, cheeks, chin
        x, y = np.rint(mesh[index, :2]).astype(int)
        assert gate[y, x] > 0.95
    for ring in (RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW):
        x, y = np.rint(mesh[list(ring), :2].mean(0)).astype(int)
        assert gate[y, x] < 0.01
    assert not gate[:, 0].any()
    assert not gate[0].any()


@pytest.mark.parametrize("seed", range(12))
def test_pixels_outside_the_map_are_bit_identical(seed):
    """At any scale and rotation, also for faces that are partly or entirely outside the photo."""
    rng = np.random.default_rng(100 + seed)
    height, width = rng.integers(60, 260, 2)
    photo = noise(height, width, seed)
    before = photo.copy()
    centre = tuple(rng.uniform(-0.3, 1.3, 2) * [width, height])
    scale = [0.3, 1.0, 1.7, 4.8][seed % 4]  # 4.8: eyes 15 photo pixels apart
    edited, done = apply(
        photo, similarity(scale, rng.uniform(-180, 180), centre), random_edit(seed)
    )
    assert edited.shape == photo.shape
    assert edited.dtype == np.uint8
    assert done.shape == photo.shape[:2]
    np.testing.assert_array_equal(edited[done == 0], photo[done == 0])
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (7, 9)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_photos_of_a_few_pixels_can_be_edited(size, seed):
    photo = noise(*size)
    edited, done = apply(photo, similarity(1.3, 40, (0, 0)), random_edit(seed))
    assert edited.shape == photo.shape
    np.testing.assert_array_equal(edited[done == 0], photo[done == 0])


def test_a_face_beyond_the_photo_s_edge_leaves_it_alone():
    photo = noise(100, 100)
    edited, done = apply(photo, similarity(1, 0, (5000, 50)), random_edit(3))
    np.testing.assert_array_equal(edited, photo)
    assert not done.any()


@pytest.mark.parametrize("way", [-1, 1])
def test_a_long_flow_at_the_very_edge_of_the_photo_repeats_the_edge(way):
    """Only a strip of the photo is reached, and all of it asks for what lies outside."""
    photo = np.full((10, 10, 3), 77, np.uint8)
    flow = np.zeros((WIDE, WIDE, 2), np.float32)
    flow[..., 0] = 30 * way
    flow *= border_ramp(WIDE, 24)[..., None]
    edited, _ = apply(photo, similarity(1, 0, (5, 5)), nothing(flow=flow))
    np.testing.assert_array_equal(edited, photo)


def test_an_edit_that_does_nothing_touches_nothing():
    photo = noise(256, 256)
    barely = nothing(
        flow=np.full((WIDE, WIDE, 2), 0.9 * STILL, np.float32),
        shading=np.full((SIDE, SIDE, 3), 0.9 * UNLIT, np.float32),
    )
    for edit in (nothing(), barely):
        edited, done = apply(photo, similarity(1, 0, (128, 128)), edit)
        np.testing.assert_array_equal(edited, photo)
        assert not done.any()


def test_what_is_too_faint_to_count_is_not_done_beside_what_counts_either():
    photo = np.full((SIDE, SIDE, 3), 10, np.uint8)
    shading = np.full((SIDE, SIDE, 3), 0.9 * UNLIT, np.float32)
    shading[[4, -5], [4, -5]] = 0.2  # the only two pixels that count
    mask = np.full((SIDE, SIDE), 0.9 * UNPAINTED, np.float32)
    faint = nothing(shading=shading, mask=mask, colour=np.ones((SIDE, SIDE, 3), np.float32))
    edited, done = apply(photo, np.array([[1.0, 0, 0], [0, 1.0, 0]]), faint)
    assert 2 <= (done > 0).sum() <= 18
    np.testing.assert_array_equal(edited[done == 0], photo[done == 0])


def test_an_edit_of_a_photo_coarser_than_the_crop_is_averaged_not_sampled():
    """Shading of alternating pixels is none from afar."""
    board = (np.indices((SIDE, SIDE)).sum(0) % 2 * 2 - 1) * border_ramp(SIDE, 16)
    shading = np.repeat(0.4 * board[..., None], 3, 2).astype(np.float32)
    photo = np.full((60, 60, 3), 128, np.uint8)
    edited, _ = apply(photo, similarity(4.3, 10, (30, 30)), nothing(shading=shading))
    assert np.abs(edited.astype(int) - 128).max() <= 3


@pytest.mark.parametrize("scale", [0.25, 0.8, 1.0, 3.0])
def test_smooth_shading_on_a_flat_photo_has_no_seam(scale):
    rng = np.random.default_rng(1)
    shading = smooth_noise(rng, SIDE, 3, 0.08, coarse=4) * border_ramp(SIDE, 40)[..., None]
    side = min(round(300 / scale), 700)
    photo = np.full((side, side, 3), 128, np.uint8)
    edited, done = apply(
        photo, similarity(scale, 25, (side / 2, side / 2)), nothing(shading=shading)
    )
    assert largest_step(edited) <= 2 * max(scale, 1) + 1
    assert np.abs(edited.astype(int) - 128).max() > 10
    assert done.any()


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_a_smile_on_a_smooth_photo_has_no_seam(scale):
    """A ramp of one level a pixel, bent by the base flow, stays smooth where the edit ends."""
    matrix = similarity(scale, 0, (150, 150))
    flow = base_flow(working_mesh(), smiling_mesh())
    photo = np.broadcast_to(np.arange(300)[:, None, None] * 0.8, (300, 300, 3)).astype(np.uint8)
    edited, done = apply(photo, matrix, nothing(flow=flow))
    rim = (cv2.dilate((done > 0).astype(np.uint8), np.ones((3, 3))) > 0) & (done == 0)
    assert rim.any()
    close = cv2.dilate(rim.astype(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(edited[close].astype(int) - photo[close]).max() <= 1


def test_at_scale_1_the_photo_s_edit_is_what_the_network_was_trained_to_render():
    rng = np.random.default_rng(5)
    photo = np.clip(smooth_noise(rng, SIDE, 3, 0.15) + 0.5, 0, 1)
    photo = np.rint(photo * 255).astype(np.uint8)
    ramp = border_ramp(SIDE, 16)
    wide = base_flow(working_mesh(), smiling_mesh())
    residual = smooth_noise(rng, SIDE, 2, 1.0) * ramp[..., None]
    shading = smooth_noise(rng, SIDE, 3, 0.1) * ramp[..., None]
    mask = paint_gate(smiling_mesh()) * 0.7
    colour = np.clip(smooth_noise(rng, SIDE, 3, 0.2) + 0.5, 0, 1)
    erased = np.clip(smooth_noise(rng, SIDE, 1, 1.0) * ramp[..., None], 0, 1)
    even = np.clip(smooth_noise(rng, SIDE, 3, 0.15) + 0.5, 0, 1)

    def tensor(field: np.ndarray) -> torch.Tensor:
        channels = field.reshape(SIDE, SIDE, -1).transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(channels, np.float32))[None]

    fields = (residual, shading, erased, even, mask, colour)
    fields = WarpFields(*(tensor(field) for field in fields))
    rendered = render(tensor(photo / 255), tensor(wide[INNER, INNER]), fields)
    rendered = rendered[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255

    flow = wide.copy()
    flow[INNER, INNER] += residual
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    edit = Edit(flow, shading, mask, colour, erased[..., 0], even)
    edited, _ = apply(photo, identity, edit)
    inside = (slice(8, -8), slice(8, -8))
    off = np.abs(edited.astype(float) - rendered)[inside]
    assert off.max() <= 2
    assert off.mean() < 0.4
    assert np.abs(edited.astype(int) - photo).max() > 20  # something was done


def with_lips(gap: float) -> np.ndarray:
    """The drawn face in the crop, its inner lips that far apart, in eye distances."""
    mesh = np.array(working_mesh())
    unit = float(np.hypot(*np.subtract(*eye_centres(mesh))))
    lower, upper = list(INNER_LIPS[1:10]), list(INNER_LIPS[:10:-1])
    middle = (mesh[lower, 1] + mesh[upper, 1]) / 2
    mesh[lower, 1], mesh[upper, 1] = middle + gap * unit / 2, middle - gap * unit / 2
    return mesh


def strip_rows(source: np.ndarray, target: np.ndarray) -> int:
    """On how many rows of the middle column of a fine grid the gap between the lips is seen.

    Sources are taken from the photo's rows; those between its lips' rims count.
    """
    finer = 6
    seam = seams(source, target, base_flow(source, target, margin=0), 1 / finer)[0]
    column = round(finer * (target[13, 0] - seam.origin[0]))
    rows = seam.origin[1] + np.arange(len(seam.exact)) / finer
    seen = rows + seam.exact[:, column, 1]
    low, high = source[13, 1] + 0.5, source[14, 1] - 0.5
    return int(((seen > low) & (seen < high)).sum())


def test_lips_that_close_over_teeth_touch_and_show_none():
    assert strip_rows(smiling_mesh(), with_lips(0.01)) <= 1
    half = with_lips(0.07)
    assert strip_rows(smiling_mesh(), half) > 6 * 3


def test_the_line_between_closed_lips_stays_where_they_were_closed_before():
    closed, moved = with_lips(0.025), with_lips(0.025)
    moved[:, 0] += 2.0
    flow = base_flow(closed, moved, margin=0)
    inside = np.rint(moved[[13, 14], :2].mean(0)).astype(int)
    np.testing.assert_allclose(flow[inside[1], inside[0]], [-2, 0], atol=1e-3)


def test_on_the_crop_s_own_pixels_the_fine_flow_is_the_base_flow():
    source, target = working_mesh(), smiling_mesh()
    base = base_flow(source, target, margin=0)
    seam = seams(source, target, base, 1 / 4)[0]
    coarse = seam.exact[::4, ::4]
    x, y = seam.origin
    off = np.abs(coarse - base[y : y + coarse.shape[0], x : x + coarse.shape[1]]).max(2)
    assert np.median(off) < 1e-4
    assert (off < 0.3).mean() > 0.95  # the others lie on the lips' rims, where it jumps


def test_a_seam_without_a_jump_changes_nothing():
    """A smile of closed lips: both grids hold the same smooth flow."""
    source = with_lips(0.0)
    target = transform(similarity(1.02, 2, (0, 0)), source)
    matrix = similarity(0.3, 0, (400, 400))
    flow = base_flow(source, target)
    photo = np.rint(255 * np.clip(smooth_noise(np.random.default_rng(2), 800, 3, 0.2) + 0.5, 0, 1))
    photo = photo.astype(np.uint8)
    fine_flow = seams(source, target, flow[INNER, INNER], 1 / 4)
    assert seams(source, target, flow[INNER, INNER], 1.2) == ()
    plain, _ = apply(photo, matrix, nothing(flow=flow))
    fine, _ = apply(photo, matrix, nothing(flow=flow, seams=fine_flow))
    assert np.abs(plain.astype(int) - photo).max() > 5
    assert np.abs(fine.astype(int) - plain).max() <= 2


def test_erased_lines_go_and_grain_stays_at_the_photo_s_own_resolution():
    """A grey photo four times as fine as the crop, with a dark line and faint grain."""
    side, scale = 4 * SIDE, 0.25
    photo = np.full((side, side, 3), 128, np.uint8)
    photo += np.random.default_rng(0).integers(0, 3, photo.shape, dtype=np.uint8)
    photo[:, 500] = 60
    even = np.full((SIDE, SIDE, 3), 129 / 255, np.float32)
    matrix = np.array([[scale, 0, 0], [0, scale, 0.0]])
    flow = np.zeros((WIDE, WIDE, 2), np.float32)
    edit = nothing(flow=flow, erased=np.ones((SIDE, SIDE), np.float32), even=even)
    edited, _ = apply(photo, matrix, edit)
    middle = (slice(100, -100), slice(100, -100))
    line = np.zeros(photo.shape, bool)
    line[:, 500] = True
    np.testing.assert_array_equal(edited[middle][~line[middle]], photo[middle][~line[middle]])
    assert np.abs(edited[middle][line[middle]] - (129 - 255 * GRAIN)).max() <= 1


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_shift_in_the_crop_is_the_same_shift_in_the_photo_turned_and_scaled(scale):
    matrix = similarity(scale, 90, (120, 120))
    flow = np.zeros((WIDE, WIDE, 2), np.float32)
    flow[...] = [6 * scale, 0]  # along the crop's x: 6 photo pixels along the photo's -y
    flow *= border_ramp(WIDE, 24)[..., None]
    photo = noise(240, 240)
    edited, _ = apply(photo, matrix, nothing(flow=flow))
    middle = (slice(90, 150), slice(90, 150))
    np.testing.assert_array_equal(edited[middle], photo[84:144, 90:150])


def test_where_the_mask_is_1_the_colour_is_painted():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[100:150, 80:170] = 1
    colour = np.broadcast_to(np.float32([0.2, 0.4, 1.0]), (SIDE, SIDE, 3)).copy()
    photo = noise(SIDE, SIDE)
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    edited, done = apply(photo, identity, nothing(mask=mask, colour=colour))
    painted = mask == 1
    assert (edited[painted] == [51, 102, 255]).all()
    assert (done[painted] == 255).all()
    assert not done[~painted].any()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_the_map_says_which_share_is_painted(share):
    partly = nothing(
        mask=np.full((SIDE, SIDE), share, np.float32), colour=np.ones((SIDE, SIDE, 3), np.float32)
    )
    photo = np.zeros((SIDE, SIDE, 3), np.uint8)
    edited, done = apply(photo, np.array([[1.0, 0, 0], [0, 1.0, 0]]), partly)
    inside = (slice(10, -10), slice(10, -10))
    assert np.abs(done[inside] - (1 + 254 * share)).max() <= 0.5
    assert np.abs(edited[inside] - 255 * share).max() <= 0.5


def test_what_would_leave_the_range_of_a_byte_is_clipped():
    photo = noise(SIDE, SIDE)
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    for shade, level in ((1.0, 255), (-1.0, 0)):
        shading = np.full((SIDE, SIDE, 3), shade, np.float32)
        assert (apply(photo, identity, nothing(shading=shading))[0] == level).all()


def test_a_warped_photo_moves_a_mouth_corner_to_where_it_is_asked():
    mesh, asked = face_mesh(), smile(face_mesh())
    photo = np.full((512, 512, 3), 200, np.uint8)
    place = tuple(int(v) for v in np.rint(mesh[61, :2]))
    cv2.circle(photo, place, 3, (0, 0, 0), -1)
    dark = 200 - warp_photo(photo, mesh, asked)[..., 0].astype(float)
    rows, columns = np.indices(dark.shape)
    found = np.array([(columns * dark).sum(), (rows * dark).sum()]) / dark.sum()
    np.testing.assert_allclose(found, asked[61, :2], atol=1.5)


def test_the_edit_of_a_panorama_wider_than_opencv_s_limit_lands_where_the_face_is():
    photo = np.full((40, 33_000, 3), 100, np.uint8)
    flow = np.zeros((WIDE, WIDE, 2), np.float32)
    flow[..., 0] = 2
    shading = np.full((SIDE, SIDE, 3), 0.1, np.float32)
    edited, done = apply(photo, similarity(4, 0, (32_900, 20)), nothing(flow=flow, shading=shading))
    assert (np.nonzero(done.any(0))[0] > 32_800).all()
    assert (edited[20, 32_890:32_910] > 120).all()
