"""What must hold of a run, from what its clients asked and heard."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.calls import Compact, Expire, Grant, Reached, Renew
from tests.simulation.specification import Etcd, State, told_form
from tests.simulation.watchers import Session, WatchClient
from tests.support.linearizability import Operation, Verdict, check
from tests.support.model_api import Change, Refusal


@dataclass
class Findings:
    """What does not hold, in words; empty: all does."""

    bugs: list[str] = field(default_factory=list)
    operations: int = 0
    """Operations whose history was checked."""


def told_by(sessions: Sequence[Session], findings: Findings) -> dict[int, list[Change]]:
    """Put together what watchers of every key heard: revision -> changes."""
    told: dict[int, list[Change]] = {}
    compacted = {session.compacted for session in sessions}
    for session in sessions:
        by_revision: dict[int, list[Change]] = {}
        for change in session.changes:
            by_revision.setdefault(change.revision, []).append(change)
        # Where a watcher begins, a compaction may have taken the deletions.
        if session.watch.start_revision in compacted:
            by_revision.pop(session.watch.start_revision, None)
        for revision, changes in by_revision.items():
            before = told.setdefault(revision, changes)
            if before != changes:
                findings.bugs.append(
                    f"revision {revision} was told as {before} and as {changes}"
                )
    return told


def with_expiries(history: Sequence[Operation]) -> list[Operation]:
    """Add what the server may do by itself: end a lease whose time is over.

    Not before its TTL has passed since it was granted or last renewed.
    """
    earliest_s: dict[int, float] = {}
    ttl_s: dict[int, int] = {}
    for operation in history:
        call, answer = operation.call, operation.answer
        if isinstance(call, Grant) and not isinstance(answer, Refusal):
            ttl_s[call.lease_id] = answer[2] if answer else call.ttl_s
            earliest_s[call.lease_id] = operation.begun_s + ttl_s[call.lease_id]
    for operation in history:
        call, answer = operation.call, operation.answer
        if isinstance(call, Renew) and operation.is_answered and answer > 0:
            # One whose grant was never answered may be known from nowhere else.
            until_s = operation.begun_s + answer
            earliest_s[call.lease_id] = max(earliest_s.get(call.lease_id, 0.0), until_s)
    expiries = [
        Operation("server", Expire(lease_id), begun_s)
        for lease_id, begun_s in earliest_s.items()
    ]
    return [*history, *expiries]


def judge_history(
    history: Sequence[Operation],
    told: dict[int, list[Change]],
    revision_max: float,
    *,
    is_compacted_by_itself: bool,
    findings: Findings,
) -> Verdict[State]:
    """Find an order that explains every answer."""
    operations = with_expiries(history)
    last_s = max((o.begun_s for o in history), default=0.0) + 1e6
    reached = Reached(max(told, default=1))
    operations.append(Operation("listener", reached, last_s, last_s + 1, True))
    etcd = Etcd(told, revision_max, is_compacted_by_itself=is_compacted_by_itself)
    verdict = check(operations, etcd.specification())
    findings.operations += len(history)
    if not verdict.is_decided:
        findings.bugs.append("the search for an order was given up")
    elif verdict.stuck:
        findings.bugs.append(_not_linearizable(verdict))
    elif set(told) - {change.revision for change in verdict.state.changes()}:
        findings.bugs.append(
            f"revisions made by nobody, up to {max(told)}: "
            f"the calls explain {verdict.state.revision}"
        )
    return verdict


def _not_linearizable(verdict: Verdict[State]) -> str:
    state = verdict.state
    lines = [
        "no order explains the answers; the longest ends at revision "
        f"{state.revision} with {state.pairs(state.revision)}, leases "
        f"{sorted(state.leases)}, compacted {state.compact_revision}; then none fits:"
    ]
    lines += [
        f"  {o.begun_s:.6f} to {o.ended_s:.6f} {o.client}: {o.call} -> {o.answer}"
        for o in verdict.stuck
    ]
    return "\n".join(lines)


def judge_watchers(
    watchers: Sequence[WatchClient],
    state: State,
    history: Sequence[Operation],
    *,
    is_compacted_by_itself: bool,
    findings: Findings,
) -> None:
    """Each watcher heard exactly its changes, in order, across all its sessions."""
    # The order that was found may do without a call that nobody answered.
    compactions = set(state.compactions) | {
        operation.call.revision
        for operation in history
        if isinstance(operation.call, Compact) and not operation.is_answered
    }
    for watcher in watchers:
        findings.bugs += watcher.bugs
        for session in watcher.sessions:
            wanted = told_form(state.wanted(session.watch))
            if session is not watcher.sessions[-1]:
                # The stream broke: what came after is the next session's.
                wanted = [c for c in wanted if c.revision <= session.reached]
            if (
                session.compacted
                and not is_compacted_by_itself
                and session.compacted not in compactions
            ):
                findings.bugs.append(
                    f"{watcher.name} was told of a compaction at "
                    f"{session.compacted}, which nobody asked for"
                )
            heard = session.changes
            missed = [change for change in wanted if change not in heard]
            excused = [
                change
                for change in missed
                if state.may_be_missed(change)
                or (is_compacted_by_itself and change.is_deletion)
            ]
            if heard != [change for change in wanted if change not in excused]:
                findings.bugs.append(
                    f"{watcher.name} asked for {session.watch} and heard "
                    f"{[c.revision for c in heard]} instead of "
                    f"{[c.revision for c in wanted]}"
                )
