"""Members whose log has segments of a size that a test can fill."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

from miniet.server import bootstrap
from miniet.wal import Wal


@contextmanager
def small_segments(segment_bytes: int) -> Iterator[None]:
    """Let the members that are built meanwhile cut their segments at this size.

    It is no setting of a server, in etcd either: 64 MB suit every disk.
    """
    ways_in = SimpleNamespace(
        create=partial(Wal.create, segment_bytes=segment_bytes),
        open=partial(Wal.open, segment_bytes=segment_bytes),
    )
    with patch.object(bootstrap, "Wal", ways_in):
        yield
