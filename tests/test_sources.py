"""Each set as it lies on disk, whole and damaged."""

import json
import shutil
from pathlib import Path

import miniatures
import numpy as np
import pytest

from g2gan.landmarks import LandmarkDetector
from train.files import write_json
from train.sources import (
    DataError,
    Reading,
    ck_groups,
    ck_sequences,
    crema_groups,
    crema_sequences,
    draw_split,
    oulu_groups,
    oulu_sequences,
    own_sequences,
    read_split,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for make in (miniatures.ck, miniatures.oulu, miniatures.crema, miniatures.own):
        make(folder / make.__name__)
    return folder


@pytest.fixture
def sets(whole, tmp_path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(whole, tmp_path / "sets")


@pytest.fixture(scope="module")
def detect():
    detector = LandmarkDetector()

    def landmarks(picture: np.ndarray) -> np.ndarray | None:
        faces = detector.detect(picture)
        return faces[0].landmarks if faces else None

    return landmarks


def reasons(reading: Reading) -> dict[str, str]:
    return {skipped.place: skipped.reason for skipped in reading.skipped}


def test_ck_is_read_with_both_sizes_grey_and_colour_annotated_and_not(whole):
    reading = ck_sequences(whole / "ck")
    assert reading.people == ["S005", "S105", "S205"]
    assert not reading.skipped
    first, second = reading.sequences[:2]
    assert (first.person, first.name, first.expression) == ("S005", "001", "happiness")
    assert reading.sequences[2].expression == "surprise"
    assert second.expression is None
    assert first.neutral.read().shape == (490, 640, 3)
    assert second.neutral.read().shape == (480, 640, 3)
    assert np.ptp(first.neutral.read(), axis=2).max() == 0
    assert np.ptp(second.neutral.read(), axis=2).max() > 0
    assert "3 people, 6 sequences (3 annotated), 18 pictures" in reading.report()


def test_the_first_frame_is_neutral_and_the_last_half_rounded_down_are_targets(whole):
    sequence = ck_sequences(whole / "ck").sequences[0]
    assert sequence.neutral.path.name == "S005_001_00000001.png"
    assert [still.path.name[-5] for still in sequence.expressed] == ["4", "5"]  # of five


def test_ck_landmarks_are_the_files_own(whole):
    still = ck_sequences(whole / "ck").sequences[0].neutral
    file = whole / "ck/Landmarks/S005/001/S005_001_00000001_landmarks.txt"
    np.testing.assert_array_equal(still.landmarks, np.loadtxt(file))


@pytest.mark.parametrize("missing", ["cohn-kanade-images", "Landmarks", "Emotion"])
def test_a_missing_folder_is_named(sets, missing):
    shutil.rmtree(sets / "ck" / missing)
    with pytest.raises(DataError, match=rf"no folder .*{missing}; give the folder that holds CK\+"):
        ck_sequences(sets / "ck")


def test_half_copied_ck_sequences_are_skipped_and_listed(sets):
    images = sets / "ck/cohn-kanade-images"
    (images / "S005/001/S005_001_00000003.png").unlink()
    (images / "S005/002/S005_002_00000005.png").unlink()
    (images / "S105/001/S105_001_00000001.png").unlink()
    for path in list((images / "S105/002").iterdir())[1:]:
        path.unlink()
    reading = ck_sequences(sets / "ck")
    found = reasons(reading)
    assert found["S005/001"] == "half-copied: 1 frames are missing, the first is 3"
    assert found["S005/002"] == "half-copied: S005_002_00000005.png is described, but missing"
    assert found["S105/001"] == "half-copied: 1 frames are missing, the first is 1"
    assert found["S105/002"] == "it has 1 frames; at least 2 are needed"
    assert reading.people == ["S205"]
    assert "skipped 4:" in reading.report()


def test_landmark_files_of_the_wrong_length_cost_a_frame_or_if_neutral_a_sequence(sets):
    points = sets / "ck/Landmarks/S005/001"
    for number in (1, 5):
        file = points / f"S005_001_{number:08d}_landmarks.txt"
        good = file.read_text()
        file.write_text("\n".join(good.splitlines()[:67]))
        found = reasons(ck_sequences(sets / "ck"))
        place = "S005/001" if number == 1 else "S005/001/S005_001_00000005.png"
        assert "67 lines; 68" in found[place]
        assert len(found) == 1
        file.write_text(good)


def test_an_emotion_file_without_a_code_costs_only_the_name(sets):
    file = sets / "ck/Emotion/S005/001/S005_001_00000005_emotion.txt"
    file.write_text("   0.0000000e+00\n")
    reading = ck_sequences(sets / "ck")
    assert reading.sequences[0].expression is None
    assert len(reading.sequences) == 6
    assert list(reasons(reading)) == ["Emotion/S005/001/S005_001_00000005_emotion.txt"]


def test_an_unreadable_frame_raises_a_data_error_that_names_it(sets):
    still = ck_sequences(sets / "ck").sequences[0].neutral
    still.path.write_bytes(still.path.read_bytes()[:200])
    with pytest.raises(DataError):
        still.read()


def test_oulu_is_read_and_damaged_sequences_are_listed(sets):
    place = sets / "oulu/VL/Strong"
    assert len(oulu_sequences(sets / "oulu").sequences) == 4 * 6
    shutil.rmtree(place / "P002/Fear")
    (place / "P051/Sadness/000.jpeg").unlink()
    reading = oulu_sequences(sets / "oulu")
    assert reasons(reading) == {
        "P002/Fear": "the folder is missing",
        "P051/Sadness": "half-copied: 1 frames are missing, the first is 0",
    }
    first = reading.sequences[0]
    assert (first.person, first.name, first.expression) == ("P001", "Anger", "anger")
    assert first.neutral.landmarks is None
    assert first.neutral.read().shape == (240, 320, 3)


def test_oulu_takes_precomputed_landmarks(sets, tmp_path):
    points = tmp_path / "points"
    for frame in (sets / "oulu/VL/Strong").glob("*/*/*.jpeg"):
        file = points / frame.parent.relative_to(sets / "oulu/VL/Strong") / f"{frame.stem}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(f"{i} {2 * i}" for i in range(68)))
    (points / "P001/Anger/000.txt").unlink()
    reading = oulu_sequences(sets / "oulu", points)
    assert reasons(reading) == {"P001/Anger": "its landmark file is missing"}
    assert reading.sequences[0].neutral.landmarks.shape == (68, 2)


def test_crema_starts_from_a_calm_frame_and_aims_at_the_strongest(whole, detect):
    reading = crema_sequences(whole / "crema", detect)
    assert reading.people == ["1001", "1002", "1003"]
    assert [s.expression for s in reading.sequences[:2]] == ["anger", "happiness"]
    happy = reading.sequences[1]
    assert happy.name == "IEO_HAP_HI"
    assert "NEU" in happy.neutral.path.name
    assert {still.frame for still in happy.expressed} >= {3, 6}  # the clip smiles from frame 3 on
    assert happy.neutral.read().shape == (360, 480, 3)
    assert happy.neutral.landmarks.shape == (68, 2)


def test_crema_leaves_out_clips_on_which_viewers_did_not_agree(sets, detect):
    table = sets / "crema/processedResults/summaryTable.csv"
    rows = table.read_text().splitlines()
    rows[2] = "2,1001_IEO_HAP_HI,H,60,H:N,50:40,H,80"  # a tie
    del rows[3]
    table.write_text("\n".join(rows))
    (sets / "crema/VideoFlash/1002_IEO_HAP_HI.flv").write_bytes(b"FLV\1nothing")
    reading = crema_sequences(sets / "crema", detect)
    assert reading.people == ["1002", "1003"]
    assert reasons(reading) == {
        "1001_IEO_ANG_XX.flv": "not in summaryTable.csv",
        "1002_IEO_HAP_HI.flv": "the clip cannot be decoded",
    }


def test_clips_that_were_never_pulled_from_git_lfs_are_refused(sets, detect):
    for clip in (sets / "crema/VideoFlash").iterdir():
        clip.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(DataError, match="git lfs pull"):
        crema_sequences(sets / "crema", detect)


def test_a_folder_of_ones_own_has_a_sequence_for_each_expression(sets):
    folder = sets / "own"
    (folder / "person 1" / "neutral.png").unlink()
    for name in ("neutral-2.png", "2.avif", "notes.txt"):
        (folder / "person 2" / name).write_bytes(b"")
    reading = own_sequences(folder)
    assert reading.people == ["person 0", "person 2"]
    assert [(s.expression, len(s.expressed)) for s in reading.sequences[:2]] == [
        ("happiness", 2),
        ("surprise", 1),
    ]
    assert reasons(reading) == {
        "person 1": "lacks a picture named neutral",
        "person 2/neutral-2.png": "a second neutral picture",
        "person 2/2.avif": "named after no expression",
    }


def test_a_set_without_any_sequence_is_refused_with_what_was_skipped(tmp_path):
    (tmp_path / "nobody").mkdir()
    with pytest.raises(DataError, match="nobody: lacks a picture named neutral"):
        own_sequences(tmp_path)


def test_whole_sets_are_split_into_the_papers_numbers():
    split = draw_split(ck_groups([f"S{i:03d}" for i in range(123)]))
    assert {part: len(people) for part, people in split.items()} == {"train": 100, "test": 23}
    split = draw_split(oulu_groups([f"P{i:03d}" for i in range(1, 81)]))
    finns = {part: sum(p <= "P050" for p in people) for part, people in split.items()}
    assert finns == {"train": 37, "test": 13}
    assert {part: len(people) for part, people in split.items()} == {"train": 60, "test": 20}
    assert len(draw_split(crema_groups([str(i) for i in range(1001, 1092)]))["train"]) == 73


def test_a_split_is_the_same_for_the_same_seed_and_parts_nobody():
    people = [f"S{i:03d}" for i in range(20)]
    split = draw_split(ck_groups(people))
    assert split == draw_split(ck_groups(people[::-1]))
    assert split != draw_split(ck_groups(people), seed=1)
    assert sorted(split["train"] + split["test"]) == people
    assert min(len(part) for part in draw_split(ck_groups(people[:2])).values()) == 1


def test_a_given_split_is_taken_or_refused_with_the_reason(tmp_path):
    file, people = tmp_path / "split.json", ["a", "b", "c"]
    write_json(file, {"train": ["b", "a"], "test": ["c"]})
    assert read_split(file, people) == {"train": ["a", "b"], "test": ["c"]}
    for content, message in (
        ({"train": ["a"], "test": ["a"]}, "twice"),
        ({"train": ["a"], "test": ["x"]}, "without a usable sequence: x"),
        ({"train": ["a"], "test": []}, "nobody"),
        ({"train": ["a"]}, "is no split"),
    ):
        file.write_text(json.dumps(content))
        with pytest.raises(DataError, match=message):
            read_split(file, people)
