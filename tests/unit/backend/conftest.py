"""A backend per test, checked and closed at its end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from miniet.backend import Backend

Opener = Callable[..., Backend]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture
def open_backend(path: Path) -> Iterator[Opener]:
    """Open the test's file; what is still open at the end is checked and closed."""
    opened: list[Backend] = []

    def open_one(**settings: Any) -> Backend:
        settings = {"quota_bytes": 1 << 26, "durable": False, **settings}
        backend = Backend(path, **settings)
        backend.open()
        opened.append(backend)
        return backend

    yield open_one
    for backend in opened:
        if backend._env is not None and backend._failure is None:
            backend._check()
        backend.close()


@pytest.fixture
def backend(open_backend: Opener) -> Backend:
    return open_backend()
