"""What the tests of damage share."""

from collections.abc import Iterator

import pytest

from tests.conformance.crash.opening import Opener


@pytest.fixture(scope="session")
def opener() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()
