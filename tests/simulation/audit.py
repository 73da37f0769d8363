"""The questions asked at the end of a run, and what their answers must be."""

import asyncio
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from tests.simulation.calls import Grant, Read, Renew, TimeToLive
from tests.simulation.clients import EVERY_KEY
from tests.simulation.judge import judge_history, judge_watchers, told_by
from tests.simulation.loop import wait_until
from tests.simulation.specification import Told
from tests.simulation.watchers import EVERYTHING
from tests.support.linearizability import Operation

if TYPE_CHECKING:
    from tests.simulation.run import Run

_SETTLE_S = 14.0
"""By then every lease has expired, on a disk that is quick again: the longest TTL, an
election, a pass or two."""

_PATIENCE_S = 30.0


async def at_end(run: "Run") -> None:
    """Ask for everything once more, long enough after the last fault."""
    bugs = run.findings.bugs
    if run.machine.life is None:
        return
    auditor = run.client("auditor")
    for watcher in run.watchers:
        watcher.is_slow = False
    # A sync that began on a slow disk may still be under way, and another behind it.
    await auditor.ask(Read(EVERY_KEY), _PATIENCE_S)
    await asyncio.sleep(_SETTLE_S)
    granted = [o.call.lease_id for o in run.history if isinstance(o.call, Grant)]
    for lease_id in granted:
        left = await auditor.ask(TimeToLive(lease_id), _PATIENCE_S)
        if left[1]:
            bugs.append(f"lease {lease_id} does not expire: {left}")
    answer = await auditor.ask(Read(EVERY_KEY), _PATIENCE_S)
    if not isinstance(answer, tuple):
        bugs.append(f"not answered after all faults: {answer}")
        return
    run.revision = answer[0]
    for revision in range(1, run.revision, 7):
        await auditor.ask(Read(replace(EVERY_KEY, revision=revision)), _PATIENCE_S)
    run.machine.check()
    verdict = judge_history(
        run.history,
        told_by(run.watchers[-1].sessions, run.findings),
        run.revision,
        is_compacted_by_itself=run.plan.is_compacted_by_itself,
        findings=run.findings,
    )
    if verdict.is_linearizable:
        judge_watchers(
            run.watchers,
            verdict.state,
            run.history,
            is_compacted_by_itself=run.plan.is_compacted_by_itself,
            findings=run.findings,
        )


async def after_lie(run: "Run") -> None:
    """Judge a member whose disk has lost what it said it had.

    Nothing can be promised of what was acknowledged after the lie began. But either
    the start is refused, or the state is one of before, whole: it holds all from
    before the lie, and no revision means something else than it did.
    """
    bugs, before = run.findings.bugs, list(run.history)
    by_itself = run.plan.is_compacted_by_itself
    told = told_by(run.watchers[-1].sessions, run.findings)
    judge_history(
        before, told, inf, is_compacted_by_itself=by_itself, findings=run.findings
    )
    living = run.start(run.machine.run())
    await wait_until(lambda: run.machine.life is not None or living.done())
    if run.machine.life is None:
        refusal = run.machine.refusal
        run.faults.counts["lost sync, refused"] += 1
        if refusal is None:
            bugs.append("neither served nor refused after a lie")
        elif refusal.path is None:
            bugs.append(f"refused without a file: {refusal}")
        return
    run.faults.counts["lost sync, served"] += 1
    run.machine.check()
    asked: list[Operation] = []
    auditor = run.client("auditor", asked)
    watcher = run.watch_client("late listener", EVERYTHING)
    watching = run.start(watcher.run())
    await asyncio.sleep(1.0)
    answer = await auditor.ask(Read(EVERY_KEY), _PATIENCE_S)
    await asyncio.sleep(1.0)
    watching.cancel()
    if not isinstance(answer, tuple):
        bugs.append(f"not answered after a lie: {answer}")
        return
    run.revision = answer[0]
    if run.revision < run.durable_revision:
        bugs.append(
            f"revision {run.revision} after a lie that began at {run.durable_revision}"
        )
    told_again = told_by(watcher.sessions, run.findings)
    _compare_told(told, told_again, bugs)
    judge_history(
        [*_surely_kept(before, run.lie_began_s), *asked],
        {n: c for n, c in {**told, **told_again}.items() if n <= run.revision},
        run.revision,
        is_compacted_by_itself=by_itself,
        findings=run.findings,
    )
    run.history += asked


def _compare_told(told: Told, told_again: Told, bugs: list[str]) -> None:
    bugs.extend(
        f"revision {number} was {told[number]} before the lie showed, and "
        f"{told_again[number]} after it"
        for number in sorted(set(told) & set(told_again))
        if told[number] != told_again[number]
    )


def _surely_kept(history: list[Operation], lie_began_s: float) -> list[Operation]:
    """What was answered before the lie; of the rest only that it was asked for."""
    kept = []
    for operation in history:
        if operation.ended_s < lie_began_s:
            kept.append(operation)
        elif not isinstance(operation.call, Read | Renew | TimeToLive):
            kept.append(replace(operation, ended_s=inf, answer=None))
    return kept
