import pytest

from miniet.predict.prediction import Band
from miniet.report.costs import error_text

MIB = 1 << 20
BAND = Band(90 * MIB, 103 * MIB, 130 * MIB)


@pytest.mark.parametrize(
    ("measured", "band", "text"),
    [
        (100 * MIB, BAND, "+3 %"),
        (206 * MIB, BAND, "-50 %"),
        (None, BAND, "-"),
        (100 * MIB, None, "-"),
        (MIB - 1, BAND, "-"),
    ],
)
def test_error_is_that_of_the_likely_figure(
    measured: int | None, band: Band | None, text: str
) -> None:
    assert error_text(measured, band) == text
