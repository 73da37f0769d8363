"""`watchers` on miniet and on a real etcd."""

import pytest

from miniet.lab.figures import counts_of
from miniet.lab.scenarios import watchers
from miniet.lab.scenarios.watchers import BACKLOG, IDLE, TRACED
from tests.support.lab_runs import MINIET, TARGETS, run

SCALE = 0.05


@pytest.mark.slow
@TARGETS
def test_costs_are_fitted_and_a_backlog_is_bounded(target: str) -> None:
    result = run(watchers, target, SCALE)
    variants = {variant.name: variant for variant in result.variants}
    assert (TRACED in variants) == (target == MINIET)
    last = variants[IDLE].stages[-1].capture.counts
    assert (last.stream_count, last.watcher_count) == (10 + 2 + 10 + 5 + 1, 327)
    (table,) = result.tables
    rows = {row[0]: row[1:4] for row in table.rows}
    assert rows[watchers.PREDICTED] == pytest.approx((118_750, 29_000, 465), rel=0.1)
    assert (watchers.HERE_GO in rows) == (target != MINIET)
    backlog = variants[BACKLOG]
    lagging, caught_up = (counts_of(backlog, n) for n in ("lagging", "caught up"))
    assert lagging.slow_watcher_count == watchers.SLOW
    assert lagging.pending_event_count <= watchers.SLOW * watchers.CHANNEL
    assert lagging.held_event_count < 2 * watchers.CHANNEL
    assert caught_up.pending_event_count == 0
