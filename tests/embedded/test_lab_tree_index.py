"""`tree-index` on miniet and on a real etcd."""

import pytest

from miniet.lab.costs import cost_of
from miniet.lab.figures import counts_of
from miniet.lab.scenarios import tree_index
from miniet.lab.scenarios.tree_index import HISTORY, MORE, ONE_MORE
from miniet.memory.components import Component
from tests.support.lab_runs import ETCD, TARGETS, run

SCALE = 0.01
KEYS = 100


@pytest.mark.slow
@TARGETS
def test_keys_go_when_deleted_and_compacted_and_live_ones_keep_arrays_in_go(
    target: str,
) -> None:
    result = run(tree_index, target, SCALE)
    *shapes, history = result.variants
    for shape in shapes:
        assert counts_of(shape, "loaded").index_key_count == KEYS
        assert counts_of(shape, "deleted").index_key_count == KEYS
        assert counts_of(shape, "compacted").index_key_count == 0
    assert history.name == HISTORY
    predicted = [
        cost_of(history, name, [Component.MVCC]).per(KEYS).predicted or 0
        for name in ("loaded", "compacted", MORE, ONE_MORE, "restarted")
    ]
    loaded, compacted, more, grown, restarted = predicted
    assert loaded == compacted
    assert grown < 0.6 * more
    assert restarted < 0.2 * grown
    text = "\n".join(result.verdict)
    assert "takes the keys out" in text
    assert "compaction does not shrink the slices of a live key in Go" in text
    assert ("B here" in text) == (target != ETCD)
