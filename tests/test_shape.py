"""The shape model on synthetic people whose smile is known."""

import numpy as np
import pytest
from tiny import (
    LEFT_CORNER,
    RIGHT_CORNER,
    eye_distance,
    face_mesh,
    people,
    smile,
    tiny_shape_model,
    with_wider_temples,
)

from g2gan.errors import PartError, UnknownExpressionError
from g2gan.mesh import INNER_LIPS, LEFT_EYE, LEFT_IRIS, MIRROR, RIGHT_EYE, RIGHT_IRIS
from g2gan.shape import HANDLES, PARTS, ShapeModel
from train.fit_shape import POINT_NOISE, SHRUNK, cross_fitted_neutrals, fit_shape_model


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A rotation in space, angles in degrees."""
    turned = np.eye(3)
    for degrees, (i, j) in ((yaw, (0, 2)), (pitch, (1, 2)), (roll, (0, 1))):
        axis = np.eye(3)
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        axis[i, i], axis[i, j], axis[j, i], axis[j, j] = cos, -sin, sin, cos
        turned = axis @ turned
    return turned


MOVES = {
    "as it is": (1.0, np.eye(3), np.zeros(3)),
    "in the picture": (0.4, rotation(0, 0, 70), np.array([300.0, -20, 0])),
    "in space": (2.3, rotation(35, -15, 20), np.array([-50.0, 900, 12])),
}
moves = pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)


def mean_shape() -> np.ndarray:
    return tiny_shape_model().mean.double().numpy()


def rms(displacement: np.ndarray) -> float:
    """In the picture's plane."""
    return float(np.sqrt((displacement[:, :2] ** 2).sum(1).mean()))


@moves
def test_the_pose_of_the_moved_mean_face_is_the_movement(move):
    scale, turned, offset = move
    pose = tiny_shape_model().pose(scale * mean_shape() @ turned + offset)
    assert pose.scale == pytest.approx(scale)
    np.testing.assert_allclose(pose.rotation, turned, atol=1e-9)
    np.testing.assert_allclose(pose.offset, offset, atol=1e-9 * (1 + np.abs(offset).max()))


def test_a_pose_is_a_rotation_even_of_a_mirrored_face():
    mirrored = face_mesh() * [-1, 1, 1]
    assert np.linalg.det(tiny_shape_model().pose(mirrored).rotation) == pytest.approx(1)


@moves
def test_in_the_head_s_frame_a_moved_face_is_the_same_face(move):
    scale, turned, offset = move
    model, mesh = tiny_shape_model(), face_mesh()
    moved = scale * mesh @ turned + offset
    one, other = model.pose(mesh).to_head(mesh), model.pose(moved).to_head(moved)
    np.testing.assert_allclose(one, other, atol=1e-9)


@moves
def test_a_displacement_is_the_difference_of_two_places_in_the_head(move):
    scale, turned, offset = move
    model, mesh = tiny_shape_model(), scale * face_mesh() @ turned + offset
    pose, change = model.pose(mesh), np.random.default_rng(0).normal(0, 0.1, (478, 3))
    moved = mesh + pose.displacement(change)
    np.testing.assert_allclose(pose.to_head(moved) - pose.to_head(mesh), change, atol=1e-9)


def test_the_mean_face_is_symmetric_upright_and_of_eye_distance_1():
    mean = mean_shape()
    np.testing.assert_allclose(mean[MIRROR] * [-1, 1, 1], mean, atol=1e-6)
    assert eye_distance(mean) == pytest.approx(1, abs=1e-5)
    assert mean[152, 1] > mean[10, 1]  # the chin lies below the forehead: y points down


def test_the_basis_is_orthonormal():
    basis = tiny_shape_model().basis.double().numpy()
    basis = basis.reshape(-1, basis.shape[-1])
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-5)


def test_an_expression_of_weight_0_and_the_neutral_one_change_nothing():
    model, mesh = tiny_shape_model(), face_mesh()
    np.testing.assert_array_equal(model.express(mesh, {"happiness": 0}), mesh)
    np.testing.assert_array_equal(model.express(mesh, {"neutral": 1}), mesh)
    np.testing.assert_array_equal(model.express(mesh, {}), mesh)


def test_happiness_shows_teeth_where_some_smiles_do():
    """A mean of smiles with open and with closed lips would be neither."""
    neutral, smiling = people()
    shut = smiling.copy()
    lower, upper = list(INNER_LIPS[1:10]), list(INNER_LIPS[:10:-1])
    middle = (shut[6:, :, lower] + shut[6:, :, upper]) / 2
    shut[6:, :, lower] = shut[6:, :, upper] = middle
    mesh = face_mesh()

    def gap(smiles: np.ndarray, rest: np.ndarray) -> float:
        happy = fit_shape_model(rest, smiles).express(mesh, {"happiness": 1})
        return float(happy[14, 1] - happy[13, 1]) / eye_distance(mesh)

    both = gap(shut, neutral)
    assert both == pytest.approx(gap(smiling[:6], neutral[:6]), abs=0.01)
    assert both > gap(shut[6:], neutral[6:]) + 0.05


def test_happiness_is_the_smile_that_was_shown():
    mesh, unit, model = face_mesh(), eye_distance(face_mesh()), tiny_shape_model()
    happy = model.deform(mesh, model.parameters_of({"happiness": 1}))
    # the mean of the stronger half: strengths of 1 to 1.4
    assert rms(happy - smile(mesh, 1.2)) < 0.1 * rms(smile(mesh, 1.2) - mesh)
    widened = (happy - mesh)[[RIGHT_CORNER, LEFT_CORNER]] / unit
    assert widened[0, 0] < -0.1 < 0.1 < widened[1, 0]
    assert (widened[:, 1] < -0.08).all()


def test_people_smile_in_their_own_way_and_nobody_more_faintly():
    """Of people who open their mouths more or less wide in a smile, each does it as the others."""
    (neutral, _), known = people(24), tiny_shape_model()
    shared, wider = known.parameters_of({"happiness": 1}), np.zeros((478, 3))
    wider[list(INNER_LIPS[1:10]), 1] = 0.1
    wide = np.random.default_rng(0).permutation(np.linspace(-1, 1, 24))
    smiling = neutral.copy()
    for person, readings in enumerate(neutral):
        for reading, mesh in enumerate(readings):
            more = known.pose(mesh).displacement(wide[person] * wider)
            smiling[person, reading] = known.deform(mesh, shared) + more
    model = fit_shape_model(neutral, smiling)
    owns, shares, strengths = [], [], []
    for temples in np.linspace(0, 0.3, 30):
        mesh = with_wider_temples(face_mesh(), temples)
        smile_of_all = model.deform(mesh, model.parameters_of({"happiness": 1})) - mesh
        own = model.express(mesh, {"happiness": 1}) - mesh - smile_of_all
        np.testing.assert_allclose(model.own_smile(mesh) - mesh, own, atol=1e-9)
        owns.append(own)
        asked = model.pose(mesh).displacement(wider)
        shares.append(float((own * asked).sum() / (asked**2).sum()))
        strengths.append(float((own * smile_of_all).sum() / (smile_of_all**2).sum()))
    assert np.ptp(shares) > 0.5
    rest = [own - share * asked for own, share in zip(owns, shares, strict=True)]
    assert np.std(rest) < 0.5 * np.std(owns)
    assert np.abs(strengths).max() < 0.05


def test_the_thicker_lips_are_the_more_they_thin_in_a_smile():
    """Of people who lose half of what their lower lip has more than others', each does."""
    (neutral, _), known, rim = people(24), tiny_shape_model(), [17, 84, 314]
    shared, more = known.parameters_of({"happiness": 1}), np.linspace(-0.05, 0.05, 24)

    def thicker(mesh: np.ndarray, by: float) -> np.ndarray:
        lower = np.zeros((478, 3))
        lower[rim, 1] = by
        return mesh + known.pose(mesh).displacement(lower)

    smiling = neutral.copy()
    for person, readings in enumerate(neutral):
        for reading, mesh in enumerate(readings):
            smiling[person, reading] = thicker(known.deform(mesh, shared), more[person] / 2)
            neutral[person, reading] = thicker(mesh, more[person])
    model, mesh = fit_shape_model(neutral, smiling), face_mesh()
    thin, thick = (thicker(mesh, by) for by in (-0.05, 0.05))
    moved = [model.express(each, {"happiness": 1}) - each for each in (thin, thick)]
    asked = (thick - thin)[rim, 1].mean()
    assert (moved[1] - moved[0])[rim, 1].mean() == pytest.approx(-asked / 2, rel=0.2)


def test_people_who_all_smile_alike_have_no_way_of_their_own():
    (neutral, smiling), known, mesh = people(), tiny_shape_model(), face_mesh()
    shared = known.parameters_of({"happiness": 1})
    alike = [[known.deform(reading, shared) for reading in person] for person in neutral]
    model = fit_shape_model(neutral, np.array(alike))
    shared = model.deform(mesh, model.parameters_of({"happiness": 1})) - mesh
    assert rms(model.own_smile(mesh) - mesh) < 0.05 * rms(shared)
    nameless = fit_shape_model(neutral, smiling, expressions=[None] * len(neutral))
    assert "happiness" not in nameless.aims


def test_expressions_grow_in_proportion_to_their_weight():
    model, mesh = tiny_shape_model(), face_mesh()
    once, twice = (model.express(mesh, {"happiness": weight}) - mesh for weight in (1, 2))
    np.testing.assert_allclose(2 * once, twice, atol=1e-9)


@moves
def test_a_turned_head_smiles_along_its_own_face(move):
    scale, turned, offset = move
    model, mesh = tiny_shape_model(), face_mesh()
    smiled_then_moved = scale * model.express(mesh, {"happiness": 1}) @ turned + offset
    moved_then_smiled = model.express(scale * mesh @ turned + offset, {"happiness": 1})
    np.testing.assert_allclose(moved_then_smiled, smiled_then_moved, atol=1e-8)


@moves
def test_an_expression_is_taken_off_along_a_turned_face_too(move):
    scale, turned, offset = move
    model, mesh = tiny_shape_model(), smile(face_mesh())
    expected = scale * model.neutral(mesh) @ turned + offset
    np.testing.assert_allclose(model.neutral(scale * mesh @ turned + offset), expected, atol=1e-8)


def test_an_unknown_expression_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownExpressionError, match=r"'joy'.*neutral, happiness"):
        tiny_shape_model().express(face_mesh(), {"happiness": 0.5, "joy": 0.5})


def test_parameters_between_two_shapes_are_those_that_lead_from_one_to_the_other():
    model, mesh = tiny_shape_model(), face_mesh()
    asked = np.zeros(model.config.components)
    asked[:4] = model.expression_table[1, 0], 0.05, 0.04, -0.03
    found = model.parameters_between(mesh, model.deform(mesh, asked))
    # the smile changes the rigid points a little, and with them the pose
    np.testing.assert_allclose(found, asked, atol=0.03 * abs(asked[0]))
    np.testing.assert_allclose(model.parameters_between(mesh, mesh), 0, atol=1e-9)


def test_an_expression_is_carried_to_another_person():
    """Eq. 9 to 12: what A's smile adds, B's neutral face gets."""
    model, (neutral, smiling) = tiny_shape_model(), people(2, seed=41)
    parameters = model.parameters_between(neutral[0, 0], smiling[0, 0])
    given = model.deform(neutral[1, 0], parameters) - neutral[1, 0]
    own = smiling[0, 0] - neutral[0, 0]
    pose_a, pose_b = model.pose(neutral[0, 0]), model.pose(neutral[1, 0])
    on_a = pose_a.to_head(smiling[0, 0]) - pose_a.to_head(neutral[0, 0])
    on_b = pose_b.to_head(neutral[1, 0] + given) - pose_b.to_head(neutral[1, 0])
    aligned = model.pose(smiling[0, 0]).to_head(smiling[0, 0]) - pose_a.to_head(neutral[0, 0])
    assert own.any()
    assert on_a.any()
    assert rms(on_b - aligned) < 0.25 * rms(aligned)


def test_the_smile_of_a_stranger_is_taken_off():
    model, (neutral, smiling) = tiny_shape_model(), people(6, seed=99)
    for at_rest, happy in zip(neutral[:, 0], smiling[:, 0], strict=True):
        pose = model.pose(happy)
        truth = model.pose(at_rest).to_head(at_rest)
        left = rms(pose.to_head(model.neutral(happy)) - truth)
        shown = rms(pose.to_head(happy) - truth)
        assert left < 0.25 * shown


def test_a_stranger_s_neutral_face_is_hardly_moved():
    model, (neutral, _) = tiny_shape_model(), people(6, seed=99)
    for mesh in neutral[:, 0]:
        assert rms(model.neutral(mesh) - mesh) < 0.005 * eye_distance(mesh)


def test_the_fainter_the_expression_the_less_of_it_is_taken_off():
    model, at_rest = tiny_shape_model(), face_mesh()
    shares = []
    for strength in (0.05, 0.2, 0.5, 1.0):
        shown = smile(at_rest, strength)
        shares.append(rms(model.neutral(shown) - shown) / rms(shown - at_rest))
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] > 0.75


def test_the_guess_is_the_mean_of_faces_and_smiles_that_are_likely():
    """`E[n | n + d]` of normal distributions that are known: mouths as wide as people are, and
    smiles that widen them by as much as they do."""
    rng, mean = np.random.default_rng(0), mean_shape()
    wide, opened = np.zeros((2, *mean.shape))
    wide[LEFT_CORNER, 0], wide[RIGHT_CORNER, 0] = 1, -1
    opened[list(INNER_LIPS)[11:20], 1] = 1  # tells the smile, and is the same for all
    drawn = np.linalg.qr(np.column_stack([np.ones(40), rng.normal(size=(40, 2))]))[0] * 40**0.5
    widths, widened = 0.06 * drawn[:, 1], 0.1 + 0.04 * drawn[:, 2]  # of exactly these deviations
    neutral = mean + widths[:, None, None] * wide
    smiling = neutral + widened[:, None, None] * wide + opened
    model = fit_shape_model(neutral[:, None], smiling[:, None])
    for width in (-0.05, 0.1, 0.25):
        left = model.neutral(mean + width * wide + opened)
        chance = SHRUNK * 0.04**2 / (0.06**2 + SHRUNK * 0.04**2 + POINT_NOISE**2 / 2)
        expected = (1 - chance) * (width - 0.1)
        assert (left - mean)[LEFT_CORNER, 0] == pytest.approx(expected, abs=0.004)
        assert rms(left - mean - expected * wide) < 0.002


def test_cross_fitted_guesses_are_of_people_who_were_not_in_the_fit():
    neutral, smiling = people(9, seed=3)
    of_neutral, of_smiling = cross_fitted_neutrals(neutral, smiling, folds=3)
    assert of_neutral.shape == neutral.shape
    for person in range(9):
        for reading in range(2):
            mesh, guess = smiling[person, reading], of_smiling[person, reading]
            assert rms(guess - mesh) > 0.02 * eye_distance(mesh)  # something was taken off
    one_changed = smiling.copy()
    one_changed[0] = one_changed[1]  # persons 0, 3 and 6 share a fold
    again = cross_fitted_neutrals(neutral, one_changed, folds=3)[1]
    np.testing.assert_array_equal(again[3], of_smiling[3])
    assert (again[2] != of_smiling[2]).any()


def test_a_persons_other_pairs_are_not_in_their_fit_either():
    neutral, smiling = people(6, seed=3)
    names = ["a", "b", "c", "a~1", "b~1", "c~1"]
    before = cross_fitted_neutrals(neutral, smiling, people=names)[1]
    changed = smiling.copy()
    changed[3] = 2 * smiling[3] - neutral[3]
    after = cross_fitted_neutrals(neutral, changed, people=names)[1]
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[1] != before[1]).any()


def test_every_photographed_expression_is_learned_under_its_name_and_the_nameless_under_none():
    neutral, smiling = people(8, seed=3)
    strong = neutral + 2 * (smiling - neutral)  # of the same mouths
    both = np.concatenate([neutral, neutral])
    names = ["happiness"] * 8 + ["surprise"] * 8
    model = fit_shape_model(both, np.concatenate([smiling, strong]), expressions=names)
    assert model.expressions == ("neutral", "happiness", "surprise")
    mesh = face_mesh()
    moved = [rms(model.express(mesh, {name: 1.0}) - mesh) for name in model.expressions[1:]]
    assert 1.5 < moved[1] / moved[0] < 2.5
    nameless = fit_shape_model(neutral, smiling, expressions=[None] * 8)
    assert nameless.expressions == ("neutral",)
    assert rms(nameless.neutral(smiling[0, 0]) - smiling[0, 0]) > 1


def test_asked_landmarks_are_met_and_the_rest_of_the_face_goes_along():
    model, mesh = tiny_shape_model(), face_mesh()
    unit, asked = eye_distance(mesh), smile(mesh)
    followed = model.follow(mesh, asked[HANDLES, :2])
    assert np.abs(followed - asked)[HANDLES, :2].max() < 0.005 * unit
    assert np.abs(followed - asked)[:, :2].max() < 0.03 * unit


def test_shapes_that_the_model_never_saw_are_met_as_well():
    mesh, unit = face_mesh(), eye_distance(face_mesh())
    asked = mesh[HANDLES, :2].copy()
    asked[17:27, 1] -= 0.15 * unit  # brows up
    asked[:17, 1] += 0.05 * unit * np.sin(np.linspace(0, np.pi, 17))  # jaw down
    followed = tiny_shape_model().follow(mesh, asked)
    assert np.abs(followed[HANDLES, :2] - asked).max() < 0.02 * unit


def test_landmarks_that_stay_keep_the_face_as_it_is():
    followed = tiny_shape_model().follow(face_mesh(), face_mesh()[HANDLES, :2])
    np.testing.assert_allclose(followed, face_mesh(), atol=1e-9)


def test_limits_hold_the_face_at_rest_and_all_that_was_seen():
    model, (neutral, smiling) = tiny_shape_model(), people()
    low, high = model.limits.numpy()
    assert (low <= 0).all()
    assert (high >= 0).all()
    for at_rest, happy in zip(neutral[:, 0], smiling[:, 0], strict=True):
        first = model.parameters_between(at_rest, happy)[0]
        assert low[0] <= first <= high[0]


@pytest.mark.parametrize("handle", [6, 19, 33, 48, 51, 57, 62])  # chin, brow, nose, mouth
def test_one_dragged_landmark_is_met_and_nothing_moves_farther_than_it(handle):
    mesh, unit = face_mesh(), eye_distance(face_mesh())
    drag = np.array([0.06, -0.08]) * unit
    asked = mesh[HANDLES, :2].copy()
    asked[handle] += drag
    followed = tiny_shape_model().follow(mesh, asked)
    np.testing.assert_allclose(followed[HANDLES[handle], :2], asked[handle], atol=0.01 * unit)
    others = np.delete(HANDLES, handle)
    assert np.abs(followed - mesh)[others, :2].max() < 0.01 * unit
    farthest = np.linalg.norm((followed - mesh)[:, :2], axis=1).max()
    assert farthest < 1.1 * np.linalg.norm(drag)


def test_a_mirrored_face_is_treated_as_a_mirror_would_show_it():
    def mirrored(mesh: np.ndarray) -> np.ndarray:
        return mesh[MIRROR] * [-1, 1, 1]

    model, mesh = tiny_shape_model(), face_mesh()
    tolerance = {"atol": 1e-4 * eye_distance(mesh)}
    shared = model.parameters_of({"happiness": 1})  # one's own smile is as lopsided in a mirror
    happy = model.deform(mesh, shared)
    np.testing.assert_allclose(model.deform(mirrored(mesh), shared), mirrored(happy), **tolerance)
    np.testing.assert_allclose(
        model.neutral(mirrored(happy)), mirrored(model.neutral(happy)), **tolerance
    )


def test_a_saved_shape_model_comes_back_bit_equal(tmp_path):
    model = tiny_shape_model()
    model.save_pretrained(tmp_path)
    loaded = ShapeModel.from_pretrained(tmp_path)
    assert loaded.expressions == ("neutral", "happiness")
    assert loaded.config.kinds == model.config.kinds
    assert loaded.config.ways == model.config.ways > 0
    for name, buffer in model.named_buffers():
        assert buffer.equal(loaded.get_buffer(name)), name
    mesh = smile(face_mesh())
    np.testing.assert_array_equal(loaded.neutral(mesh), model.neutral(mesh))


def test_the_fit_is_the_same_every_time():
    again = tiny_shape_model.__wrapped__()
    for name, buffer in tiny_shape_model().named_buffers():
        assert buffer.equal(again.get_buffer(name)), name


def test_parts_add_up_to_the_whole_face_and_hold_their_own_landmarks():
    model = tiny_shape_model()
    shares = {part: model.part_share([part]) for part in PARTS}
    np.testing.assert_allclose(sum(shares.values()), 1)
    np.testing.assert_allclose(model.part_share(list(PARTS)), 1)
    for part, landmarks in PARTS.items():
        assert shares[part][HANDLES[list(landmarks)]].min() > 0.5
    irises = [RIGHT_IRIS, LEFT_IRIS]
    assert shares["eyes"][irises].min() > 0.8


@pytest.mark.parametrize("parts", [[], ["nose"], ["mouth", "hair"]])
def test_an_unknown_part_lists_the_known_ones(parts):
    with pytest.raises(PartError, match="mouth, eyes, brows"):
        tiny_shape_model().part_share(parts)


def test_eyes_turn_to_the_camera_and_nothing_else_moves():
    """Irises that were moved by hand come back; a head that is turned looks back at the camera."""
    model, mesh = tiny_shape_model(), mean_shape() * 100
    irises = list(range(RIGHT_IRIS, RIGHT_IRIS + 5)) + list(range(LEFT_IRIS, LEFT_IRIS + 5))
    gazing = mesh.copy()
    gazing[irises] += [6, -3, 0]
    np.testing.assert_allclose(
        model.look_at_camera(gazing)[irises, :2], mesh[irises, :2], atol=1e-6
    )
    rest = np.setdiff1d(np.arange(478), irises)
    np.testing.assert_allclose(model.look_at_camera(gazing)[rest], gazing[rest], atol=1e-6)
    turned = mesh @ rotation(20, 0, 0)
    ahead = (model.look_at_camera(turned) - turned)[RIGHT_IRIS]
    nose_tip = turned[1] - turned.mean(0)
    assert ahead[0] * nose_tip[0] < 0


def test_closed_lids_open_and_narrow_ones_stay_narrow():
    model, mesh = tiny_shape_model(), mean_shape() * 100
    lids = [(list(ring[1:8]), list(ring[:8:-1])) for ring in (RIGHT_EYE, LEFT_EYE)]

    def narrowed(share: float) -> np.ndarray:
        shape = mesh.copy()
        for lower, upper in lids:
            middle = (mesh[lower, 1] + mesh[upper, 1]) / 2
            shape[lower, 1] = middle + share * (mesh[lower, 1] - middle)
            shape[upper, 1] = middle + share * (mesh[upper, 1] - middle)
        return shape

    narrow = narrowed(0.8)
    np.testing.assert_array_equal(model.open_eyes(narrow), narrow)
    opened = model.open_eyes(narrowed(0.1))
    for lower, upper in lids:
        gaps = [(each[lower, 1] - each[upper, 1]).mean() for each in (opened, mesh)]
        assert gaps[0] == pytest.approx(gaps[1], rel=0.05)


def test_looks_of_the_eyes_blend_with_what_was_learned():
    """They lead from where a face's own eyes are; half of one goes half the way."""
    model, mesh = tiny_shape_model(), mean_shape() * 100
    assert model.looks[-2:] == ("look at camera", "open eyes")
    assert set(model.looks) <= set(model.names)
    asleep = mesh.copy()
    for ring in (RIGHT_EYE, LEFT_EYE):
        asleep[list(ring[1:8]), 1] = asleep[list(ring[:8:-1]), 1]
    asleep[RIGHT_IRIS:, 0] += 5
    np.testing.assert_allclose(
        model.express(asleep, {"look at camera": 1}), model.look_at_camera(asleep), atol=1e-9
    )
    half = model.express(asleep, {"open eyes": 0.5}) - asleep
    np.testing.assert_allclose(2 * half, model.open_eyes(asleep) - asleep, atol=1e-9)
    both = model.express(asleep, {"open eyes": 1, "look at camera": 1, "happiness": 0.7})
    smiling = model.express(asleep, {"happiness": 0.7}) - asleep
    np.testing.assert_allclose(
        both - smiling, model.look_at_camera(model.open_eyes(asleep)), atol=1e-9
    )
    moved = model.drag(asleep, {"look at camera": 1}, {})
    np.testing.assert_allclose(moved, model.look_at_camera(asleep), atol=1e-9)


def test_the_paper_s_landmarks_have_no_looks_of_the_eyes():
    flat = ShapeModel(points=68)
    assert flat.looks == ()
    with pytest.raises(UnknownExpressionError):
        flat.parameters_of({"open eyes": 1})


def test_lids_move_as_far_as_the_person_s_own_eyes_are_open():
    model = tiny_shape_model()
    head = model.mean.double().numpy()
    np.testing.assert_allclose(model.basis_of(head), model.basis.double().numpy(), atol=1e-9)
    wide = head.copy()
    for ring in (RIGHT_EYE, LEFT_EYE):
        lids = [*ring[1:8], *ring[9:]]
        wide[lids, 1] += 0.25 * (head[lids, 1] - head[[ring[0], ring[8]], 1].mean())
    grown = model.basis_of(wide) / np.where(model.basis.numpy() == 0, 1, model.basis.numpy())
    moving = model.basis.numpy()[RIGHT_EYE[4]] != 0
    np.testing.assert_allclose(grown[RIGHT_EYE[4]][moving], 1.25, atol=0.02)
    np.testing.assert_allclose(grown[152][model.basis.numpy()[152] != 0], 1, atol=1e-3)
