"""The losses by hand-made values and finite differences, and what the discriminators see."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from train.discriminators import PatchDiscriminator
from train.losses import (
    LEAST_SQUARE,
    AdversarialLoss,
    IdentityLoss,
    cycle_loss,
    detail_l1,
    dissimilarity,
    gradient_l1,
    identity_weight,
    l1_of_each,
    log_square,
    mouth_squares,
    pixel_loss,
    pooled_l1,
    total_variation,
    weighted_l1,
)
from train.metrics import ssim


class TinyRecognizer(nn.Module):
    """A face recogniser in miniature, with what a real one has: normalisation and dropout."""

    def __init__(self, channels: int = 3, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4, 3, 2), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Tanh()
        )

    def forward(self, image: Tensor) -> Tensor:
        assert image.shape[-2:] == (16, 16)
        return self.layers(image).flatten(1)


def random(*shape: int, seed: int = 0, grad: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_(grad)


def pictures(side: int = 8, channels: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """A picture with gradient, another, and a weight."""
    shape = (2, channels, side, side)
    return random(*shape, grad=True), random(*shape, seed=1), random(2, 1, side, side, seed=2)


def test_the_bce_game_is_worth_log_2_where_the_discriminator_cannot_decide():
    undecided, loss = torch.zeros(2, 1, 3, 3), AdversarialLoss("bce")
    assert loss.generator(undecided).item() == pytest.approx(math.log(2))
    assert loss.discriminator(undecided, undecided).item() == pytest.approx(math.log(2))


def test_the_bce_generator_loss_does_not_saturate():
    """Where the discriminator is sure of a fake, the gradient stays near 1, eq. 1's remedy."""
    fake = torch.tensor([-20.0], requires_grad=True)
    AdversarialLoss("bce").generator(fake).backward()
    assert fake.grad.item() == pytest.approx(-1)


def test_the_least_squares_game_has_the_values_worked_out_by_hand():
    real, fake, loss = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]), AdversarialLoss("lsgan")
    assert loss.generator(fake).item() == pytest.approx((1 + 0) / 2)
    assert loss.discriminator(real, fake).item() == pytest.approx(((0 + 4) / 2 + (0 + 1) / 2) / 2)


def test_an_unknown_form_of_the_game_is_refused():
    with pytest.raises(ValueError, match="'bce' or 'lsgan'"):
        AdversarialLoss("hinge")


@pytest.mark.parametrize("form", ["bce", "lsgan"])
def test_gradients_of_the_game_agree_with_finite_differences(form):
    loss = AdversarialLoss(form)
    real, fake = random(2, 1, 3, 3, grad=True), random(2, 1, 3, 3, seed=1, grad=True)
    assert gradcheck(loss.generator, (fake,))
    assert gradcheck(loss.discriminator, (real, fake))


@pytest.mark.parametrize("loss", [pixel_loss, cycle_loss])
def test_pixel_and_cycle_loss_are_the_mean_absolute_difference(loss):
    output = torch.tensor([[[[0.1, 0.5], [1.0, 0.0]]]])
    target = torch.tensor([[[[0.3, 0.5], [0.0, 0.4]]]])
    assert loss(output, target).item() == pytest.approx((0.2 + 0 + 1 + 0.4) / 4)
    assert gradcheck(loss, pictures()[:2])


def test_identical_pictures_have_an_identity_loss_of_0():
    image = random(2, 3, 20, 20).float()
    assert IdentityLoss(TinyRecognizer(), size=16)(image, image).item() == 0


def test_the_identity_loss_is_the_mean_difference_of_features():
    class Brightness(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean((2, 3))

    output, image = torch.full((1, 3, 8, 8), 0.75), torch.full((1, 3, 8, 8), 0.25)
    assert IdentityLoss(Brightness(), size=4)(output, image).item() == pytest.approx(0.5)


def test_identity_gradients_reach_the_output_and_nothing_else():
    recognizer = TinyRecognizer().train()
    output = random(2, 3, 20, 20).float().requires_grad_()
    image = random(2, 3, 20, 20, seed=1).float().requires_grad_()
    before = {key: value.clone() for key, value in recognizer.state_dict().items()}
    IdentityLoss(recognizer, size=16)(output, image).backward()
    assert output.grad.abs().max() > 0
    assert image.grad is None
    assert all(p.grad is None and not p.requires_grad for p in recognizer.parameters())
    assert not any(module.training for module in recognizer.modules())
    assert all(torch.equal(before[key], value) for key, value in recognizer.state_dict().items())


def test_the_identity_loss_agrees_with_finite_differences():
    loss = IdentityLoss(TinyRecognizer(channels=1).double(), size=16)
    output, image = random(1, 1, 18, 18, grad=True), random(1, 1, 18, 18, seed=1)
    assert gradcheck(lambda edited: loss(edited, image), (output,))


def test_the_weight_of_identity_rises_from_a_tenth_to_a_half():
    assert [identity_weight(t) for t in (0.0, 0.5, 1.0)] == pytest.approx([0.1, 0.3, 0.5])


def test_a_weight_of_1_everywhere_gives_plain_l1():
    a, b, weight = pictures()
    expected = (a - b).abs().mean().item()
    assert weighted_l1(a, b, torch.ones_like(weight)).item() == pytest.approx(expected)
    assert weighted_l1(a, b, 7 * torch.ones_like(weight)).item() == pytest.approx(expected)


def test_the_l1_of_each_picture_is_the_weighted_l1_of_that_picture_alone():
    a, b, weight = pictures()
    alone = [weighted_l1(*(x[k : k + 1] for x in (a, b, weight))).item() for k in range(2)]
    assert l1_of_each(a, b, weight).tolist() == pytest.approx(alone)


def test_weighted_l1_has_the_value_worked_out_by_hand():
    a = torch.tensor([[[[0.0, 0.0]], [[0.0, 0.0]]]])  # 2 channels, 1 x 2 pixels
    b = torch.tensor([[[[0.5, 0.1]], [[0.3, 0.7]]]])
    weight = torch.tensor([[[[3.0, 1.0]]]])
    assert weighted_l1(a, b, weight).item() == pytest.approx((3 * 0.8 + 1 * 0.8) / (4 * 2))


def test_nothing_weighs_nothing():
    a, b, weight = pictures()
    assert weighted_l1(a, b, 0 * weight).item() == 0


def test_pooling_forgives_what_averages_out_within_a_cell():
    ones = torch.ones(1, 1, 8, 8)
    stripes = (torch.arange(8) % 2).float().expand(1, 1, 8, 8)
    assert pooled_l1(stripes, 0.5 * ones, ones).item() == 0
    assert pooled_l1(stripes, 0.25 * ones, ones).item() == pytest.approx(0.25)
    assert pooled_l1(stripes, 0.5 * ones, ones, cells=1).item() == pytest.approx(0.5)


def test_pooling_averages_the_weight_as_well():
    a, b, weight = torch.zeros(1, 1, 4, 8), torch.zeros(1, 1, 4, 8), torch.zeros(1, 1, 4, 8)
    b[..., :4], weight[..., :4] = 1, 1
    weight[..., 0, 4] = 16  # the right cell's mean is 1, as the left one's
    assert pooled_l1(a, b, weight).item() == pytest.approx(0.5)


def test_gradient_l1_ignores_brightness_and_sees_slopes():
    ones = torch.ones(1, 1, 4, 4)
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)  # slope 1 across, 0 down
    assert gradient_l1(ramp, ramp + 0.3, ones).item() == pytest.approx(0, abs=1e-6)
    assert gradient_l1(ramp, ramp.transpose(2, 3), ones).item() == pytest.approx(1)
    assert gradient_l1(ramp, 0 * ramp, ones).item() == pytest.approx(0.5)


def test_detail_l1_asks_how_strong_detail_is_and_not_where():
    torch.manual_seed(0)
    skin = 0.5 + 0.2 * torch.randn(1, 3, 96, 96)
    inside = torch.zeros(1, 1, 96, 96)
    inside[..., 16:80, 16:80] = 1
    moved, smoothed = skin.roll((3, 5), (2, 3)), 0.5 + 0.5 * (skin - 0.5)
    at_all = detail_l1(skin, torch.full_like(skin, 0.5), inside).item()
    assert detail_l1(skin, skin, inside).item() == 0
    assert detail_l1(skin, moved, inside).item() < 0.2 * at_all
    assert detail_l1(skin, smoothed, inside).item() == pytest.approx(0.5 * at_all, rel=0.1)


def test_detail_l1_agrees_with_finite_differences():
    torch.manual_seed(1)
    a, b = (torch.rand(1, 3, 12, 12, dtype=torch.float64) for _ in range(2))
    weight = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    assert gradcheck(lambda x: detail_l1(x, b, weight), a.requires_grad_())


def test_gradient_l1_gives_a_difference_the_mean_weight_of_its_pixels():
    a, b = torch.tensor([[[[0.0, 0.4, 0.4]] * 2]]), torch.zeros(1, 1, 2, 3)
    weight = torch.tensor([[[[1.0, 3.0, 5.0]] * 2]])
    assert gradient_l1(a, b, weight).item() == pytest.approx((0.4 * 2 / (2 + 4) + 0) / 2)


def test_log_square_counts_decibels_of_each_picture_by_itself():
    b = torch.zeros(2, 3, 8, 8)
    weight = torch.zeros(2, 1, 8, 8)
    weight[..., 2:6] = 1  # the same error everywhere else costs nothing

    def loss(*errors: float) -> float:
        a = torch.ones_like(b)
        a[..., 2:6] = torch.tensor(errors).reshape(2, 1, 1, 1)
        return log_square(a, b, weight).item()

    for one, other in ((0.2, 0.2), (0.2, 0.1)):  # halving either of two errors is worth 6.02 dB / 2
        gain = loss(one, other) - loss(one, other / 2)
        assert gain == pytest.approx(math.log(2) / 2, rel=0.05)
    assert loss(0, 0) == pytest.approx(math.log(LEAST_SQUARE) / 2)


def test_dissimilarity_is_what_tables_measure_of_pictures_of_half_the_size():
    random = np.random.default_rng(0)
    b = random.integers(0, 256, (32, 32, 3), np.uint8)
    a = np.clip(b + random.normal(0, 25, b.shape), 0, 255).astype(np.uint8)
    left = np.arange(32) < np.full((32, 1), 16)

    def doubled(picture: np.ndarray) -> Tensor:
        large = torch.from_numpy(picture.repeat(2, 0).repeat(2, 1)).float()
        return large.reshape(1, 64, 64, -1).permute(0, 3, 1, 2)

    for mask in (np.ones_like(left), left):
        loss = dissimilarity(doubled(a) / 255, doubled(b) / 255, doubled(mask)).item()
        assert loss == pytest.approx(1 - ssim(a, b, mask), abs=1e-4)


def test_dissimilarity_has_all_its_digits_where_training_has_few():
    torch.manual_seed(0)
    b = 0.5 + 0.01 * torch.randn(1, 3, 64, 64)
    a, weight = b + 0.002 * torch.randn_like(b), torch.ones(1, 1, 64, 64)
    whole = dissimilarity(a, b, weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert dissimilarity(a, b, weight) == whole


@pytest.mark.parametrize("loss", [log_square, dissimilarity])
def test_gradients_of_what_tables_measure_agree_with_finite_differences(loss):
    torch.manual_seed(1)
    a, b = (torch.rand(1, 3, 26, 26, dtype=torch.float64) for _ in range(2))
    weight = torch.rand(1, 1, 26, 26, dtype=torch.float64)
    assert gradcheck(lambda x: loss(x, b, weight), a.requires_grad_(), fast_mode=True)


def test_total_variation_is_the_mean_step_between_neighbours():
    flow = torch.tensor([[[[0.0, 2.0], [0.0, 0.0]]]])  # steps 2 and 0 across, 0 and 2 down
    assert total_variation(flow).item() == pytest.approx(1)
    assert total_variation(torch.full((1, 2, 5, 5), 3.0)).item() == 0


@pytest.mark.parametrize("loss", [weighted_l1, pooled_l1, gradient_l1])
def test_gradients_of_weighted_losses_agree_with_finite_differences(loss):
    a, b, weight = pictures()
    assert gradcheck(lambda output: loss(output, b, weight), (a,))


def test_the_gradient_of_total_variation_agrees_with_finite_differences():
    assert gradcheck(total_variation, (random(1, 2, 5, 5, grad=True),))


def test_a_mouth_square_on_whole_pixels_equals_the_slice():
    image = random(2, 3, 40, 50).float()
    centres = torch.tensor([[10 + 3.5, 20 + 3.5], [30 + 3.5, 5 + 3.5]])  # of 8 pixels each
    squares = mouth_squares(image, centres, side=8.0, size=8)
    assert torch.allclose(squares[0], image[0, :, 20:28, 10:18], atol=2e-6)
    assert torch.allclose(squares[1], image[1, :, 5:13, 30:38], atol=2e-6)


def test_a_mouth_square_of_odd_side_is_centred_on_a_pixel():
    image = random(1, 3, 40, 50)
    square = mouth_squares(image, torch.tensor([[25, 18]]), side=5.0, size=5)
    assert torch.allclose(square, image[:, :, 16:21, 23:28], atol=1e-12)


def test_each_mouth_square_may_have_its_own_side():
    ramp = torch.arange(50.0).expand(2, 3, 40, 50)  # a pixel's value is its x
    centres, sides = torch.tensor([[20.0, 20.0], [20.0, 20.0]]), torch.tensor([8.0, 16.0])
    squares = mouth_squares(ramp, centres, sides, size=4)
    assert squares[0, 0, 0].tolist() == pytest.approx([17, 19, 21, 23], abs=1e-4)
    assert squares[1, 0, 0].tolist() == pytest.approx([14, 18, 22, 26], abs=1e-4)


def test_a_mouth_square_over_the_edge_repeats_the_border():
    ramp = torch.arange(10.0).expand(1, 3, 10, 10)
    square = mouth_squares(ramp, torch.tensor([[0.0, 5.0]]), side=5.0, size=5)
    assert square[0, 0, 0].tolist() == pytest.approx([0, 0, 0, 1, 2], abs=1e-5)


def test_gradients_of_mouth_squares_agree_with_finite_differences():
    image, centres = random(1, 1, 6, 7, grad=True), torch.tensor([[2.7, 3.1]])
    assert gradcheck(lambda picture: mouth_squares(picture, centres, 3.3, 4), (image,))


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_has_pix2pix_s_size(layers, field):
    """The pixels that one logit in the middle depends on, found by its gradient."""
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(3, width=4, layers=layers).double().eval()
    image = random(1, 3, 128, 128, grad=True)
    logits = discriminator(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    rows, columns = image.grad[0].abs().sum(0).nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == field
    assert columns.max() - columns.min() + 1 == field


def test_the_conditional_discriminator_judges_the_paper_s_triplets():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(3 + 68 + 3, width=4)
    shape = (2, 3, 128, 128)
    image, heatmaps, output = torch.rand(shape), torch.rand(2, 68, 128, 128), torch.rand(shape)
    logits = discriminator(image, heatmaps, output)
    assert logits.shape == (2, 1, 14, 14)
    for changed in [(1 - image, heatmaps, output), (image, 1 - heatmaps, output)]:
        assert not torch.equal(logits, discriminator(*changed))


def test_the_full_width_discriminator_has_pix2pix_s_size():
    """2.77 million parameters on two colour pictures in pix2pix; 64 x 4 x 4 more a channel."""
    with torch.device("meta"):
        discriminator = PatchDiscriminator(6)
    assert sum(p.numel() for p in discriminator.parameters()) == 2_768_705


def test_without_normalization_pictures_of_a_batch_are_judged_apart():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(3, width=4, layers=2, norm=False)
    pair = random(2, 3, 32, 32).float()
    assert torch.allclose(discriminator(pair)[:1], discriminator(pair[:1]), atol=1e-6)
