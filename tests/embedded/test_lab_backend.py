"""`backend` on miniet and on a real etcd."""

import pytest

from miniet.lab.figures import stage_of
from miniet.lab.scenarios import backend
from miniet.report.run import Variant
from tests.support.lab_runs import MINIET, TARGETS, run

SCALE = 0.1
FILE_BYTES = 10_000_000


@pytest.mark.slow
@TARGETS
def test_file_is_resident_once_read_and_after_a_start(target: str) -> None:
    result = run(backend, target, SCALE)
    (variant,) = result.variants
    loaded = stage_of(variant, "loaded").capture.counts
    assert loaded.backend_size_bytes > FILE_BYTES
    assert mapped(variant, "read") > 0.9
    assert mapped(variant, "restarted") > 0.9
    assert mapped(variant, "compacted") > 0.9
    # bbolt maps its new file with all its pages, LMDB without.
    assert (mapped(variant, "defragmented") > 0.9) == (target != MINIET)
    before, after = (stage_of(variant, n) for n in ("compacted", "defragmented"))
    peak = after.capture.process and after.capture.process.peak_resident_bytes
    resident = before.capture.process and before.capture.process.resident_bytes
    assert peak
    assert resident
    assert peak > resident + 0.4 * FILE_BYTES


def mapped(variant: Variant, name: str) -> float:
    """Return how much of the file is resident."""
    capture = stage_of(variant, name).capture
    assert capture.process is not None
    return (capture.process.mapped_bytes or 0) / capture.counts.backend_size_bytes
