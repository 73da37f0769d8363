"""Findings about what storage keeps: raft log, history, free pages, quota."""

from miniet.memory.components import Component
from miniet.releases import CATCHUP_ENTRIES, RELEASES
from miniet.report.case import BUDGET_BYTES, Case, Finding
from miniet.report.units import counted, number, size

CATCH_UP_FLAGS = ("snapshot-catchup-entries", "experimental-snapshot-catchup-entries")
"""Their number, in 3.6 and before it."""
CATCH_UP_SINCE = (3, 5, 16)
"""First release with such a flag."""
HISTORY_SHARE = 0.5
"""Of all revisions. Below it, compaction frees less than what stays."""
FREE_SHARE = 0.5
"""Of the file. Where etcd's own alert begins (etcdDatabaseHighFragmentationRatio):
below it, free pages are what the next puts fill again."""
QUOTA_SHARE = 0.8
"""etcd's alert comes at 95 %, when there is no time left to compact first."""
QUOTA_BYTES = 2 << 30
"""Quota of a server that was given none."""
QUOTA_BYTES_MAX = 8 << 30
"""The largest that etcd's documents advise."""


def raft_log(case: Case) -> Finding | None:
    """The log keeps every proposal whole until snapshots come often enough."""
    counts = case.counts
    entries, payload = counts.raft_entry_count, counts.raft_payload_bytes
    if payload <= BUDGET_BYTES or not entries:
        return None
    catch_up = case.flag(CATCHUP_ENTRIES, *CATCH_UP_FLAGS)
    rhythm = _rhythm(case)
    mean = max(1, payload // entries)
    affordable = max(2, BUDGET_BYTES // mean)
    held, basis = case.held(Component.RAFT, payload)
    command, price = _smaller_log(case, affordable, catch_up)
    return Finding(
        kind="raft-log",
        title=f"The raft log keeps {number(entries)} proposals of {size(mean)} each",
        evidence=(
            f"{size(payload)} of proposals, whole. Compaction and defragmentation do "
            "not reach them.",
            f"The log is cut every {number(rhythm)} entries and spares the last "
            f"{number(catch_up)} for slow followers: at this size it may grow to "
            f"{size(mean * (rhythm + catch_up))}.",
        ),
        at_stake_bytes=held - held * min(entries, affordable) // entries,
        basis=basis,
        command=command,
        price=price,
    )


def history(case: Case) -> Finding | None:
    """Old revisions hold pages of the backend, and places in the index."""
    counts = case.counts
    if counts.index_revision_count:
        kept = counts.index_revision_count
        known = f"{counted(kept, 'revision')} in the index"
    else:
        kept = counts.current_revision - max(1, counts.compact_revision)
        known = f"{counted(kept, 'revision')} since the last compaction"
    # Of what changed since the last compaction, a key has one that is not old.
    old = max(0, kept - counts.key_count)
    if old <= HISTORY_SHARE * (old + counts.key_count):
        return None
    compacted = (
        f"compacted at {number(counts.compact_revision)}"
        if counts.compact_revision > 0
        else "never compacted"
    )
    return Finding(
        kind="history",
        title=(
            f"{counted(old, 'old revision')} of {counted(counts.key_count, 'key')} kept"
        ),
        evidence=(
            f"{known}, {counted(counts.key_count, 'key')} alive; {compacted}, now at "
            f"{number(counts.current_revision)}.",
            f"{size(counts.backend_in_use_bytes)} of the backend are in use.",
        ),
        at_stake_bytes=(
            counts.backend_in_use_bytes * old // max(1, old + counts.key_count)
        ),
        basis="pages of the backend, if old revisions are as large as new ones",
        command=case.etcdctl(f"compact {counts.current_revision}"),
        price=(
            "Older revisions can no longer be read or watched from. It makes pages "
            "free for new puts; etcdctl defrag gives them back. Start with "
            "--auto-compaction-retention=1h and it happens by itself."
        ),
    )


def free_pages(case: Case) -> Finding | None:
    """Pages that compaction freed stay in the file and in the map of it."""
    counts = case.counts
    free = counts.backend_size_bytes - counts.backend_in_use_bytes
    if free <= FREE_SHARE * counts.backend_size_bytes:
        return None
    process = case.capture.process
    mapped = process.mapped_bytes if process else None
    evidence = [
        f"File of {size(counts.backend_size_bytes)}, "
        f"{size(counts.backend_in_use_bytes)} in use."
    ]
    if mapped is not None:
        evidence.append(f"{size(mapped)} of it are resident, which counts as RSS.")
    return Finding(
        kind="free-pages",
        title=f"{size(free)} of the backend's file are free pages",
        evidence=evidence,
        at_stake_bytes=free,
        basis="pages of the backend: disk, quota, and RSS as far as resident",
        command=case.etcdctl("defrag"),
        price=(
            "The server answers nothing meanwhile, and holds old and new file at "
            "once: one member at a time, the leader last."
        ),
    )


def quota(case: Case) -> Finding | None:
    """A full backend takes no more writes until it is made smaller."""
    counts = case.counts
    limit = case.flag(0, "quota-backend-bytes") or QUOTA_BYTES
    if limit < 0 or counts.backend_size_bytes < QUOTA_SHARE * limit:
        return None
    larger = min(2 * limit, max(limit, QUOTA_BYTES_MAX))
    is_hollow = counts.backend_in_use_bytes < QUOTA_SHARE * counts.backend_size_bytes
    command = case.etcdctl("defrag")
    if not is_hollow:
        command = f"--quota-backend-bytes={larger}"
    return Finding(
        kind="quota",
        title=(
            f"The backend has {counts.backend_size_bytes / limit:.0%} of its quota"
        ).replace("%", " %"),
        evidence=(
            f"File of {size(counts.backend_size_bytes)}, quota {size(limit)}; "
            f"{size(counts.backend_in_use_bytes)} in use.",
            "At the quota the server raises an alarm and refuses every put.",
        ),
        at_stake_bytes=counts.backend_size_bytes,
        basis="the whole backend: it becomes read-only",
        command=command,
        price=(
            "The server answers nothing meanwhile."
            if is_hollow
            else "Restart with it. Compaction comes first where there is history; "
            "a larger file is a larger map, and RSS follows what is read."
        ),
    )


def _rhythm(case: Case) -> int:
    """Entries between two cuts of the log."""
    release = RELEASES[case.capture.profile]
    return release.memory_snapshot_count or case.flag(
        release.snapshot_count, "snapshot-count"
    )


def _smaller_log(case: Case, entries: int, catch_up: int) -> tuple[str, str]:
    """Return the flags that keep the log to so many entries, and their price."""
    price = (
        f"Restart with it; the log then stays near {size(BUDGET_BYTES)} of such "
        "entries. It costs more snapshots, and a follower that falls further behind "
        "than what is kept is sent the whole database."
    )
    flags = []
    if in_memory := RELEASES[case.capture.profile].memory_snapshot_count:
        new_catch_up = min(catch_up, max(1, entries - in_memory))
    else:
        new_catch_up = min(catch_up, entries // 2)
        flags.append(f"--snapshot-count={entries - new_catch_up}")
    if new_catch_up == catch_up:
        return " ".join(flags), price
    flags.append(f"--{_catch_up_flag(case)}={new_catch_up}")
    if case.is_miniet or case.version >= CATCH_UP_SINCE:
        return " ".join(flags), price
    return " ".join(flags), (
        f"{case.capture.product} has no such second flag and always keeps "
        f"{number(CATCHUP_ENTRIES)}: upgrade to 3.5.16 or later first. {price}"
    )


def _catch_up_flag(case: Case) -> str:
    is_new = not case.is_miniet and case.version >= (3, 6)
    return CATCH_UP_FLAGS[0] if is_new else CATCH_UP_FLAGS[1]
