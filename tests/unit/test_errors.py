"""The three families, and what a DataError tells the operator."""

import pytest

from miniet.errors import DataError, InvariantError, MinietError, RequestError


@pytest.mark.parametrize("family", [RequestError, DataError, InvariantError])
def test_every_family_is_caught_as_miniet_error(family: type[MinietError]) -> None:
    with pytest.raises(MinietError, match="broken"):
        raise family("broken")


def test_families_are_told_apart() -> None:
    families = [RequestError, DataError, InvariantError]
    for one in families:
        assert [other for other in families if issubclass(one, other)] == [one]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DataError("checksum differs"), "checksum differs"),
        (DataError("torn", path="/d/1.wal"), "/d/1.wal: torn"),
        (DataError("torn", path="1.wal", offset=0), "1.wal: torn (offset 0)"),
        (
            DataError("torn", path="1.wal", offset=64, remedy="restore a backup"),
            "1.wal: torn (offset 64); restore a backup",
        ),
    ],
)
def test_data_error_says_file_place_and_remedy(error: DataError, text: str) -> None:
    assert str(error) == text


def test_data_error_carries_its_parts() -> None:
    error = DataError("torn", path="1.wal", offset=64, remedy="restore")
    assert (error.path, error.offset, error.remedy) == ("1.wal", 64, "restore")
