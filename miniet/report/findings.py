"""A diagnosis: what holds the memory of a server, ranked, and what changes it.

Every finding has its figures, the bytes at stake and one command or flag. A rule
that cannot judge, because the server does not say what it needs, says so: silence is
no bill of health.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from miniet.memory.capture import Capture
from miniet.predict.prediction import Prediction
from miniet.report import client_findings as clients
from miniet.report import process_findings as process
from miniet.report import storage_findings as storage
from miniet.report.case import DEFAULT_ENDPOINT, FLOOR_BYTES, Case, Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for."""

    subject: str
    """What it judges."""
    needs: Sequence[str]
    """Fields of `Counts` without which it cannot."""
    find: Callable[[Case], Finding | None]
    is_urgent: bool = False
    """Counts whatever the bytes at stake."""


RULES = (
    Rule("the raft log", ("raft_entry_count", "raft_payload_bytes"), storage.raft_log),
    Rule("history", ("current_revision", "index_revision_count"), storage.history),
    Rule(
        "free pages",
        ("backend_size_bytes", "backend_in_use_bytes"),
        storage.free_pages,
    ),
    Rule("the quota", ("backend_size_bytes",), storage.quota, is_urgent=True),
    Rule("slow watchers", ("slow_watcher_count",), clients.slow_watchers),
    Rule("large ranges", ("range_response_bytes_max",), clients.large_ranges),
    Rule("leases without keys", ("keyed_lease_count",), clients.idle_leases),
    Rule("leases", ("lease_count",), clients.many_leases),
    Rule("connections", ("connection_count",), clients.connections),
    Rule("watchers", ("watcher_count",), clients.watchers),
    Rule("freed heap", (), process.freed_heap),
    Rule("tracing", (), process.tracing, is_urgent=True),
)


def diagnose(
    capture: Capture,
    prediction: Prediction | None = None,
    *,
    endpoint: str = DEFAULT_ENDPOINT,
) -> list[Finding]:
    """Return what to change, most bytes at stake first; nothing for an idle server.

    Args:
        capture: one reading of miniet or of a real etcd.
        prediction: what a Go etcd would hold; used where nothing is measured.
        endpoint: the server, for the commands.
    """
    case = Case(capture=capture, prediction=prediction, endpoint=endpoint)
    found = []
    for rule in RULES:
        finding = rule.find(case)
        if finding and (rule.is_urgent or finding.at_stake_bytes > FLOOR_BYTES):
            found.append(_with_doubts(finding, rule, capture))
    return sorted(found, key=lambda finding: -finding.at_stake_bytes)


def not_judged(capture: Capture) -> list[str]:
    """Return, as a sentence each, what the server does not say enough to judge."""
    blind = []
    for rule in RULES:
        missing = [name for name in rule.needs if name in capture.unseen]
        if missing:
            blind.append(f"{rule.subject} ({', '.join(missing)})")
    return blind


def _with_doubts(finding: Finding, rule: Rule, capture: Capture) -> Finding:
    """Add to the evidence what of it was estimated, and from what."""
    names = [name for name in rule.needs if name in capture.estimated]
    if not names:
        return finding
    doubt = f"Estimated from {capture.estimated[names[0]]}."
    return replace(finding, evidence=(*finding.evidence, doubt))
