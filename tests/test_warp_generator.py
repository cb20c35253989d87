"""`WarpGenerator`: starts as the plain warp, says nothing where nothing moves, learns it all."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny import face_mesh, smile, tiny_generator
from torch import Tensor
from torch.autograd import gradcheck

from g2gan.alignment import WORKING, transform
from g2gan.errors import CheckpointError
from g2gan.flow import GRAIN, base_flow, gates
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import MIRROR
from g2gan.models.warp_generator import (
    BANDS,
    FADE,
    FOLD,
    MARK,
    MOVED,
    NOSE,
    REACH,
    REST,
    WarpFields,
    WarpGenerator,
    blurs,
    grain,
    move,
    render,
    strength,
    warp,
)
from g2gan.shape import ShapeModel

SIDE, SMALL = WORKING.side, 32


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))[None]


def smile_inputs() -> dict[str, Tensor]:
    """A noisy crop of the drawn face's shape that is asked to smile."""
    matrix = WORKING.matrix(face_mesh())
    source, target = transform(matrix, face_mesh()), transform(matrix, smile(face_mesh()))
    handles = list(LANDMARKS_68)
    return {
        "image": torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),
        "base_flow": tensor(base_flow(source, target, margin=0).transpose(2, 0, 1)),
        "gates": tensor(gates(target)),
        "source_landmarks": tensor(source[handles, :2]),
        "target_landmarks": tensor(target[handles, :2]),
    }


def small_inputs(batch: int = 2, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs on a small square: quick, and different everywhere."""
    draw = torch.Generator().manual_seed(seed)
    source = SMALL * torch.rand(batch, 68, 2, generator=draw)
    return {
        "image": torch.rand(batch, 3, SMALL, SMALL, generator=draw),
        "base_flow": torch.randn(batch, 2, SMALL, SMALL, generator=draw),
        "gates": torch.rand(batch, 2, SMALL, SMALL, generator=draw),
        "source_landmarks": source,
        "target_landmarks": source + torch.randn(batch, 68, 2, generator=draw),
    }


def test_a_mirrored_crop_is_predicted_the_mirrored_fields():
    inputs, network = smile_inputs(), tiny_generator()
    order = [list(LANDMARKS_68).index(MIRROR[point]) for point in LANDMARKS_68]
    across = torch.tensor([-1.0, 1.0])[:, None, None]
    mirrored = {name: value.flip(-1) for name, value in inputs.items() if value.ndim == 4}
    mirrored["base_flow"] = mirrored["base_flow"] * across
    for name in ("source_landmarks", "target_landmarks"):
        points = inputs[name][:, order]
        mirrored[name] = torch.stack([SIDE - 1 - points[..., 0], points[..., 1]], -1)
    with torch.no_grad():
        one, other = network.predict(**inputs), network.predict(**mirrored)
        alone = network(**inputs)
    for name, field in one._asdict().items():
        turned = getattr(other, name).flip(-1) * (across if name == "residual" else 1)
        torch.testing.assert_close(field, turned, atol=1e-5, rtol=0)
    assert not torch.allclose(one.shading, alone.shading, atol=1e-5)  # which is not symmetric


def test_before_training_the_rendering_is_the_plain_warp():
    inputs = smile_inputs()
    with torch.no_grad():
        fields = WarpGenerator(widths=(4, 6, 8, 8))(**inputs)
        plain = warp(inputs["image"], inputs["base_flow"])
        rendered = render(inputs["image"], inputs["base_flow"], fields)
    assert not fields.residual.any()
    assert not fields.shading.any()
    assert 0.001 < fields.mask.max() < 0.02
    closed = (inputs["gates"][:, :1] == 0).expand_as(plain)
    torch.testing.assert_close(rendered[closed], plain[closed], rtol=0, atol=0)
    assert (rendered - plain).abs().max() < 0.02


def test_unmoved_landmarks_leave_nothing_to_say():
    inputs = smile_inputs()
    inputs["target_landmarks"] = inputs["source_landmarks"]
    with torch.no_grad():
        fields = tiny_generator()(**inputs)
    assert not fields.residual.any()
    assert not fields.shading.any()
    assert not fields.mask.any()


def test_a_trained_generator_s_fields_do_something_within_their_ranges():
    inputs = smile_inputs()
    with torch.no_grad():
        fields = tiny_generator()(**inputs)
    channels = {"residual": 2, "shading": 3, "erased": 1, "even": 3, "mask": 1, "colour": 3}
    shapes = {name: tuple(field.shape[1:]) for name, field in fields._asdict().items()}
    assert shapes == {name: (count, SIDE, SIDE) for name, count in channels.items()}
    assert all(field.dtype == torch.float32 for field in fields)
    assert fields.residual.abs().max() > 0.1
    assert fields.shading.abs().max() > 0.01
    assert fields.mask.max() > 0.1
    assert fields.mask.min() >= 0
    assert (fields.mask <= inputs["gates"][:, :1]).all()
    assert fields.colour.min() >= 0
    assert fields.colour.max() <= 1


def test_everything_fades_to_nothing_at_the_crop_s_border():
    with torch.no_grad():
        fields = tiny_generator()(**{**smile_inputs(), "gates": torch.ones(1, 2, SIDE, SIDE)})
    for field in (fields.residual, fields.shading, fields.erased, fields.mask):
        for edge in (field[..., 0, :], field[..., -1, :], field[..., :, 0], field[..., :, -1]):
            assert not edge.any()


def test_where_detail_may_not_change_shading_is_smooth():
    """It lives on grids at least four times coarser: the photo's texture stays."""
    inputs = smile_inputs()
    inputs["gates"][:, 1] = 0
    with torch.no_grad():
        shading = tiny_generator()(**inputs).shading[..., 24:-24, 24:-24]
    assert shading.diff(n=2, dim=-1).abs().max() < 0.2 * shading.abs().max()


def inner(field: Tensor) -> Tensor:
    return field[..., FADE:-FADE, FADE:-FADE]


@pytest.mark.parametrize("speech", [-20.0, 20.0])
def test_gains_take_a_band_of_detail_away_but_for_the_grain_or_double_it(speech):
    generator, inputs = WarpGenerator(widths=(4, 6, 8, 8)), smile_inputs()
    inputs["gates"][:, 1] = 1
    inputs["base_flow"][:] = MOVED
    with torch.no_grad():
        generator.to_shading[0].bias[3] = speech  # the finest band's
        shading = generator(**inputs).shading
    bands = bands_of(warp(inputs["image"], inputs["base_flow"]))
    assert bands[0].abs().max() > 2 * MARK
    bands[0] = band = bands[0].clamp(-MARK, MARK)  # marks that stand out more are not taken away
    say = strength(inputs["source_landmarks"], inputs["target_landmarks"])
    change = band if speech > 0 else grain(bands)[0][0] - band
    torch.testing.assert_close(inner(shading), inner(say * change))


def bands_of(image: Tensor) -> list[Tensor]:
    """A picture's detail, finest first."""
    return [fine - coarse for fine, coarse in pairwise(blurs(image, BANDS + 1))]


def noisy_bands(line: float) -> list[Tensor]:
    """Detail of a picture of noise with a line (of some darkness) down its middle."""
    draw = torch.Generator().manual_seed(0)
    image = 0.5 + 0.01 * torch.randn(1, 3, SIDE, SIDE, generator=draw)
    image[..., SIDE // 2 - 2 : SIDE // 2 + 2] -= line
    return bands_of(image)


def share(part: Tensor, whole: Tensor) -> float:
    return float(part.square().mean() / whole.square().mean())


def test_skin_without_folds_is_grain_mostly():
    bands = noisy_bands(line=0.0)
    for kept, band in zip(grain(bands)[0], bands[:-1], strict=True):
        assert 0.3 < share(kept, band) < 1
        assert (kept.abs() <= band.abs()).all()


def test_a_fold_is_no_grain_and_the_skin_far_from_it_is_what_it_was():
    (plain, nowhere), (folded, there) = (grain(noisy_bands(line)) for line in (0.0, 0.2))
    near, far = (..., slice(SIDE // 2 - 6, SIDE // 2 + 6)), (..., slice(0, SIDE // 4))
    assert (there[near] == 1).all()
    assert nowhere.mean() < 0.3
    for kept, before in zip(folded, plain, strict=True):
        assert not kept[near].any()
        assert share(kept[far], before[far]) > 0.9


def test_a_beard_is_no_fold():
    """Its hairs are strong in the finest detail as well."""
    draw = torch.Generator().manual_seed(0)
    image = 0.5 + 0.01 * torch.randn(1, 3, SIDE, SIDE, generator=draw)
    beard = (..., slice(SIDE // 2 - 16, SIDE // 2 + 16), slice(SIDE // 2 - 16, SIDE // 2 + 16))
    image[beard] += 0.03 * torch.randn(1, 3, 32, 32, generator=draw)
    assert grain(bands_of(image))[1][beard].mean() < 0.2


def test_a_flat_picture_has_no_grain():
    flat = [torch.zeros(1, 3, SIDE, SIDE)] * BANDS
    assert not any(kept.any() for kept in grain(flat)[0])


def test_detail_changes_where_something_moves_and_above_the_nose_s_base_beside_it():
    """There lines end that a cheek's movement makes; below it beards begin."""
    generator, inputs = WarpGenerator(widths=(4, 6, 8, 8)), smile_inputs()
    inputs["gates"][:, 1] = 1
    inputs["base_flow"][:] = 0
    inputs["base_flow"][..., SIDE // 2 :] = 5
    nose = int(inputs["target_landmarks"][0, NOSE, 1])
    with torch.no_grad():
        generator.to_shading[0].bias[3:] = -20.0
        fields = generator(**inputs)
    above, below = slice(FADE, nose - 2 * FADE), slice(nose + FADE, SIDE - FADE)
    for rows, reach in ((above, REACH), (below, 0)):
        still = (..., rows, slice(0, SIDE // 2 - reach - 16))
        assert not fields.shading[still].any()
        assert not fields.erased[still].any()
    beside = slice(SIDE // 2 - REACH + 8, SIDE // 2)
    torch.testing.assert_close(
        fields.erased[..., above, beside],
        fields.erased[..., above, SIDE // 2 : SIDE // 2 + REACH - 8],
    )
    assert fields.erased[..., above, beside].min() > 0.9


def test_lines_go_with_their_fold_and_the_skin_s_grain_stays():
    generator, inputs = WarpGenerator(widths=(4, 6, 8, 8)), smile_inputs()
    inputs["gates"][:, 1] = 1
    inputs["base_flow"][:, 0], inputs["base_flow"][:, 1] = 3, 0
    noise = 0.4 * GRAIN * (2 * torch.rand(1, 3, SIDE, SIDE) - 1)
    inputs["image"] = 0.5 + noise
    inputs["image"][..., 100:101] -= 0.2  # a dark line
    with torch.no_grad():
        generator.to_shading[0].bias[3 + FOLD] = -20.0
        fields = generator(**inputs)
        before = warp(inputs["image"], inputs["base_flow"])
        after = move(inputs["image"], inputs["base_flow"], fields)
        fields = fields._replace(shading=torch.zeros_like(fields.shading))
        lines_only = move(inputs["image"], inputs["base_flow"], fields)
    depth, left = (0.5 - picture[..., 60:200, 97].mean() for picture in (before, lines_only))
    assert depth > 0.19
    assert left < 0.65 * depth
    assert (after - lines_only).abs().max() > 0.01  # the fold's own band
    far = (..., slice(60, 200), slice(140, 200))
    torch.testing.assert_close(lines_only[far], before[far])


def test_a_blur_leaves_of_a_wave_what_its_kernel_says():
    """cos^2(pi f gap) at each step, gap 1, 2, 4, 8; a flat picture stays."""
    frequency = 1 / 16  # waves a pixel
    wave = torch.cos(2 * torch.pi * frequency * torch.arange(256.0)).expand(1, 1, 256, 256)
    kept = 1.0
    for gap, blurred in zip((1, 2, 4, 8), blurs(wave, 4), strict=True):
        kept *= math.cos(math.pi * frequency * gap) ** 2
        centre = (..., slice(32, -32), slice(32, -32))
        torch.testing.assert_close(blurred[centre], kept * wave[centre])
    flat = torch.full((1, 3, 40, 40), 0.3)
    for blurred in blurs(flat, 4):
        torch.testing.assert_close(blurred, flat)


def test_a_picture_s_fields_do_not_depend_on_the_others_in_the_batch():
    generator, inputs = tiny_generator(), small_inputs()
    with torch.no_grad():
        both = generator(**inputs)
        for index in range(2):
            alone = generator(**{name: value[index, None] for name, value in inputs.items()})
            for one, other in zip(alone, both, strict=True):
                torch.testing.assert_close(one[0], other[index], rtol=1e-4, atol=1e-5)


def test_the_network_sees_every_one_of_its_inputs():
    generator, inputs = tiny_generator(), small_inputs()
    with torch.no_grad():
        before = generator(**inputs).colour
        for name, changed in small_inputs(seed=9).items():
            after = generator(**{**inputs, name: changed}).colour
            assert (after - before).abs().max() > 1e-5, name


def test_the_network_sees_each_landmark_where_it_is():
    """Four by four crop pixels make one of the grid on which landmarks are drawn."""
    generator, inputs, seen = tiny_generator(), small_inputs(), []
    generator.locate.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    with torch.no_grad():
        generator(**inputs)
    (drawn,) = seen
    assert drawn.shape == (2, 2 * 68, SMALL // 4, SMALL // 4)
    for half, name in enumerate(("source_landmarks", "target_landmarks")):
        for landmark in range(68):
            x, y = inputs[name][0, landmark]
            if min(x, y) >= 0 and max(x, y) < SMALL - 0.5:
                row, column = divmod(drawn[0, 68 * half + landmark].argmax().item(), SMALL // 4)
                assert abs(4 * column + 1.5 - x) <= 2.01
                assert abs(4 * row + 1.5 - y) <= 2.01


def test_every_parameter_receives_a_gradient_once_the_heads_speak():
    generator, inputs = tiny_generator(), small_inputs()
    with torch.no_grad():  # the last layer of a block starts at zero and keeps its first one still
        for name, parameter in generator.named_parameters():
            if "second" in name:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    fields = generator(**inputs)
    render(inputs["image"], inputs["base_flow"], fields).square().mean().backward()
    silent = [
        name
        for name, parameter in generator.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]
    assert silent == []


def test_an_untrained_generator_s_heads_receive_a_gradient():
    generator, inputs = WarpGenerator(widths=(4, 6, 8, 8)), small_inputs()
    rendered = render(inputs["image"], inputs["base_flow"], generator(**inputs))
    rendered.square().mean().backward()
    for head in (generator.to_residual, *generator.to_shading, generator.to_paint):
        assert head.weight.grad.abs().max() > 0


def test_rendering_follows_the_formula():
    draw = torch.Generator().manual_seed(3)
    image = torch.rand(1, 3, 8, 8, generator=draw)
    base, residual = torch.randn(2, 1, 2, 8, 8, generator=draw)
    shading, even, colour = torch.randn(3, 1, 3, 8, 8, generator=draw)
    erased, mask = torch.rand(2, 1, 1, 8, 8, generator=draw)
    moved = warp(image, base + residual)
    lines = (moved - even) - (moved - even).clamp(-GRAIN, GRAIN)
    expected = mask * colour + (1 - mask) * (moved + shading - erased * lines)
    fields = WarpFields(residual, shading, erased, even, mask, colour)
    torch.testing.assert_close(render(image, base, fields), expected)


def test_a_warp_by_whole_pixels_is_a_shifted_slice():
    image = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 20, 24)
    flow[:, 0], flow[:, 1] = 3, -2
    moved = warp(image, flow)
    torch.testing.assert_close(moved[..., 2:, :-3], image[..., :-2, 3:], rtol=0, atol=1e-5)
    torch.testing.assert_close(warp(image, 0 * flow), image, rtol=0, atol=1e-5)


def test_a_warp_beyond_the_border_repeats_the_edge():
    image = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 6, 6)
    flow[:, 0] = 50
    torch.testing.assert_close(warp(image, flow), image[..., -1:].expand_as(image))


def test_the_gradient_of_the_warp_is_right():
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, 6, 6, generator=draw, dtype=torch.float64).requires_grad_()
    # well inside the picture, and off the grid's lines, where bilinear sampling has a corner
    at = torch.stack(torch.meshgrid(*[torch.arange(6.0)] * 2, indexing="xy"))[None].double()
    wanted = torch.randint(1, 4, (1, 2, 6, 6), generator=draw) + 0.2
    wanted += 0.6 * torch.rand(1, 2, 6, 6, generator=draw, dtype=torch.float64)
    assert gradcheck(warp, (image, (wanted - at).requires_grad_()))


def test_strength_by_hand():
    """Eyes 10 pixels apart; all landmarks move by a tenth of a pixel: one hundredth."""
    source = torch.zeros(1, 68, 2)
    source[:, 42:48, 0] = 10
    for moved, unit in ((0.1, 0.01), (0.3, 0.03), (5.0, 0.5)):
        said = strength(source, source + torch.tensor([0.6, -0.8]) * moved)
        assert said.item() == pytest.approx(unit**2 / (unit**2 + REST**2), rel=1e-4)
    assert strength(source, source).item() == 0
    assert strength(source, source + torch.tensor([0.1, 0.0])).item() == pytest.approx(0.5, 1e-4)


def test_strength_does_not_depend_on_the_size_of_the_face():
    source = small_inputs()["source_landmarks"]
    target = small_inputs()["target_landmarks"]
    torch.testing.assert_close(strength(source, target), strength(7 * source, 7 * target))


def test_two_generators_and_a_shape_model_fit_into_16_megabytes_at_half_precision():
    with torch.device("meta"):
        generator = WarpGenerator()
    one = sum(parameter.numel() for parameter in generator.parameters())
    shapes = sum(buffer.numel() for buffer in ShapeModel(("neutral", "happiness")).buffers())
    assert 2 * 2 * one + 4 * shapes < 16e6


def test_a_saved_generator_comes_back_bit_equal(tmp_path):
    generator, inputs = tiny_generator(), small_inputs()
    generator.save_pretrained(tmp_path)
    loaded = WarpGenerator.from_pretrained(tmp_path)
    assert not loaded.training
    assert tuple(loaded.config.widths) == (4, 6, 8, 8)
    with torch.no_grad():
        for one, other in zip(generator(**inputs), loaded(**inputs), strict=True):
            assert torch.equal(one, other)


def test_weights_of_another_width_are_refused(tmp_path):
    WarpGenerator(widths=(4, 6, 8, 10)).save_pretrained(tmp_path)
    weights = (tmp_path / "diffusion_pytorch_model.safetensors").read_bytes()
    WarpGenerator(widths=(4, 6, 8, 8)).save_pretrained(tmp_path)
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    with pytest.raises(CheckpointError):
        WarpGenerator.from_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_the_fields_are_still_float32_and_nearly_the_same(dtype):
    inputs = small_inputs()
    with torch.no_grad():
        exact, half = tiny_generator()(**inputs), tiny_generator().to(dtype)(**inputs)
    for one, other in zip(exact, half, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).abs().max() < 0.05 * max(1, one.abs().max())
