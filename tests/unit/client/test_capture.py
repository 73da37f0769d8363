"""Which release a server is like."""

import pytest

from miniet.client.capture import profile_of


@pytest.mark.parametrize(
    ("version", "profile"),
    [
        ("3.4.9", "3.4.9"),
        ("3.4.23", "3.4"),
        ("3.5.1", "3.5"),
        ("3.6.0-rc.1", "3.6"),
        ("3.7.2", "3.6"),
        ("3.3.1", "3.4"),
        ("main", "3.4"),
    ],
)
def test_profile_is_that_of_the_release(version: str, profile: str) -> None:
    assert profile_of(version) == profile
