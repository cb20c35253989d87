"""The benchmark of training steps, on the smallest preset."""

import math

import pytest

from benchmarks.train_speed import in_its_own_process, page, time_papers_loader, time_steps


@pytest.mark.slow
def test_a_step_in_bfloat16_and_a_loader_are_timed_and_written_down():
    step = in_its_own_process(time_steps, "smoke", "smoke", "bf16", False, 1, 1)
    loader = time_papers_loader()
    for rate in (step["per_second"], step["per_core_second"], loader["per_second"]):
        assert math.isfinite(rate)
        assert rate > 0
    results = {"machine": "m", "torch": "t", "load": [0.5, 9.5]}
    text = page({**results, "steps": [step], "loaders": {"ck": loader}})
    assert "| smoke | bf16 | channels first | 1 |" in text
    assert "was 0.5 before and 9.5 after" in text
