"""What is written is written whole, and the same content as the same bytes."""

import numpy as np
from safetensors import safe_open

from train.files import write_tensors


def test_equal_tensors_are_equal_bytes_however_often_they_are_written(tmp_path):
    told = {name: f'value of {name}, "quoted", \u00e9' for name in "fbdaec"}
    tensors = {"b": np.arange(7, dtype=np.float32), "a": np.ones((2, 3), np.float16)}
    written = set()
    for number in range(6):
        path = tmp_path / f"{number}.safetensors"
        write_tensors(path, tensors, told)
        written.add(path.read_bytes())
    assert len(written) == 1
    with safe_open(path, "np") as file:
        assert file.metadata() == told
        for name, array in tensors.items():
            assert np.array_equal(file.get_tensor(name), array)
    assert not list(tmp_path.glob("*.part"))
