"""A machine that is too small is told so before anything is started."""

import pytest

from miniet.lab.errors import LabError
from miniet.lab.machine import GIB, Need, describe

HUGE = 1 << 60


@pytest.mark.parametrize(
    ("need", "what"), [(Need(HUGE, 0), "of memory"), (Need(0, HUGE), "of disk")]
)
def test_too_small_machine_is_refused_with_the_figures(need: Need, what: str) -> None:
    with pytest.raises(LabError) as refusal:
        need.check()
    text = str(refusal.value)
    assert f"{HUGE / GIB:.1f} GiB {what}" in text
    assert "--scale" in text


def test_large_enough_machine_is_not_refused() -> None:
    Need(1, 1).check()


def test_machine_is_described_in_a_line() -> None:
    text = describe()
    assert "Python" in text
    assert "\n" not in text
