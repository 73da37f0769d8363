"""Building a member from its settings and from what lies on disk.

Order: log files first, they say what happened; then the backend, which holds
the effects of the entries up to its consistent index; then the engine, which
replays the rest. A fresh member starts with a log of one membership change.

    <data-dir>/member/wal/*.wal       log segments
    <data-dir>/member/snap/*.snap     raft snapshots
    <data-dir>/member/snap/db         backend
"""

import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from miniet.backend import Backend
from miniet.clock import Clock
from miniet.engine import Engine, EngineConfig
from miniet.engine.compactor import Compactor, PeriodicCompactor, RevisionCompactor
from miniet.engine.membership import Member
from miniet.errors import DataError
from miniet.pb import etcdserver_pb2
from miniet.raft import MemoryStorage, Snapshot
from miniet.server.config import Config
from miniet.server.log_store import DiskLog, LogStore, MemoryLog
from miniet.server.recorders import Durations, Traffic
from miniet.server.statistics import ServerStatistics
from miniet.wal import (
    SnapshotFiles,
    TornWriteError,
    Wal,
    WalContents,
    WalSnapshot,
    make_directory,
    repair,
    sync_directory,
    valid_snapshots,
)

logger = logging.getLogger(__name__)

_RESTORE = "restore the data directory from one backup as a whole"

OpenWal = Callable[[Path, WalSnapshot], tuple[Wal, WalContents]]


@dataclass(slots=True)
class BuiltMember:
    """A member that is ready to be driven; `close` gives its files back."""

    engine: Engine
    backend: Backend
    log: LogStore
    temporary_directory: TemporaryDirectory[str] | None
    """Where a memory-only member has its files; goes with the process at the latest."""
    traffic: Traffic
    """The calls of its clients; they are counted by whoever serves them."""

    def statistics(self) -> ServerStatistics:
        """Return the present counts of every component."""
        engine = self.engine.statistics()
        return ServerStatistics(
            raft=engine.raft,
            store=engine.store,
            backend=self.backend.statistics(),
            lease=engine.lease,
            watch=engine.watch,
            wal=self.log.statistics(),
            requests=self.traffic.statistics(),
        )

    def close(self, *, commit: bool = True) -> None:
        """Close all files; the data of a memory-only member is gone.

        Args:
            commit: False after a failure, when a change may be half done: the log
                has all of it, and the next start takes it from there.
        """
        self.backend.close(commit=commit)
        self.log.close()
        if self.temporary_directory is not None:
            self.temporary_directory.cleanup()


def build_member(
    config: Config,
    data_dir: str | os.PathLike[str] | None,
    client_urls: tuple[str, ...],
    clock: Clock,
    rng: random.Random,
    durations: Durations,
    traffic: Traffic | None = None,
) -> BuiltMember:
    """Open or create the data of a member and bring its state back.

    Args:
        data_dir: None: keep everything in memory, or as near to it as can be.
        client_urls: what clients are told to connect to.
        traffic: where its calls are counted; None: it will have none.
    Raises:
        DataError: the data is damaged, or of another member; it says what to do.
        OSError: a file or directory cannot be used.
    """
    temporary = _temporary_directory() if data_dir is None else None
    root = Path(temporary.name if temporary else data_dir or "") / "member"
    storage = MemoryStorage()
    log: LogStore = MemoryLog()
    try:
        is_durable = temporary is None and not config.unsafe_no_fsync
        make_directory(root / "snap", sync=is_durable)
        if is_durable:
            # What a start that was killed has made need not be on the disk yet.
            for directory in (root, root.parent):
                sync_directory(directory)
        if temporary is None:
            log = _open_log(config, root, storage, durations)
        backend = Backend(
            root / "snap" / "db",
            quota_bytes=config.quota_backend_bytes,
            batch_limit=config.backend_batch_limit,
            batch_interval_s=config.backend_batch_interval_s,
            durable=is_durable,
            on_commit=durations.backend_commit_s.observe,
        )
        backend.open()
    except BaseException:
        log.close()
        if temporary is not None:
            temporary.cleanup()
        raise
    member = BuiltMember(
        _engine(config, client_urls, clock, storage, backend, rng),
        backend,
        log,
        temporary,
        traffic or Traffic(),
    )
    try:
        member.engine.restore()
    except BaseException as error:
        member.close(commit=False)
        if isinstance(error, DataError) and error.path is None:
            # The engine reads the backend without knowing where it lies.
            error.path = os.fspath(root / "snap" / "db")
            error.remedy = error.remedy or _RESTORE
        raise
    backend.forget_reads()
    if storage.last_index() == 0:
        member.engine.bootstrap()
    return member


def _engine(
    config: Config,
    client_urls: tuple[str, ...],
    clock: Clock,
    storage: MemoryStorage,
    backend: Backend,
    rng: random.Random,
) -> Engine:
    return Engine(
        EngineConfig(
            cluster_id=config.cluster_id,
            member=Member(
                config.member_id,
                config.initial_advertise_peer_urls,
                config.name,
                client_urls,
            ),
            snapshot_count=config.raft_snapshot_count,
            memory_snapshot_count=config.memory_snapshot_count,
            catchup_entries=config.snapshot_catchup_entries,
            max_request_bytes=config.max_request_bytes,
            quota_bytes=config.quota_backend_bytes,
            election_ticks=config.election_ticks,
            election_timeout_s=config.election_timeout_ms / 1000,
            request_timeout_s=config.request_timeout_s,
            compaction_batch_limit=config.compaction_batch_limit,
            lease_ttl_min_s=config.min_lease_ttl_s,
            lease_checkpoints=config.enable_lease_checkpoint,
            lease_checkpoints_persist=config.enable_lease_checkpoint_persist,
            watch_progress_interval_s=config.watch_progress_notify_interval_s,
            slow_apply_s=config.warning_apply_duration_s,
            watch_fragment_bytes=config.receive_bytes_max,
        ),
        clock,
        storage,
        backend,
        rng,
        _compactor(config, clock),
    )


def _compactor(config: Config, clock: Clock) -> Compactor | None:
    if config.auto_compaction_period_s:
        return PeriodicCompactor(clock, config.auto_compaction_period_s)
    if config.auto_compaction_revisions:
        return RevisionCompactor(clock, config.auto_compaction_revisions)
    return None


def _open_log(
    config: Config,
    root: Path,
    storage: MemoryStorage,
    durations: Durations,
) -> DiskLog:
    """Open or create the log, and fill `storage` with what it holds."""
    directory = Path(config.wal_dir) if config.wal_dir else root / "wal"
    database = root / "snap" / "db"
    snapshots = SnapshotFiles(
        root / "snap",
        sync=not config.unsafe_no_fsync,
        on_fsync=durations.snap_fsync_s.observe,
    )
    metadata = etcdserver_pb2.Metadata(
        NodeID=config.member_id, ClusterID=config.cluster_id
    ).SerializeToString()
    options: dict[str, Any] = {
        "sync": not config.unsafe_no_fsync,
        "on_fsync": durations.wal_fsync_s.observe,
    }
    if directory.exists() and any(directory.iterdir()):
        open_wal = partial(Wal.open, **options)
        wal, contents, snapshot = _read_repaired_log(directory, snapshots, open_wal)
        try:
            _check_belongings(directory, database, metadata, contents, snapshot)
        except BaseException:
            wal.close()
            raise
        if snapshot is not None:
            storage.apply_snapshot(snapshot)
        storage.set_hard_state(contents.hard_state)
        # Entries without a state are of a first start that was cut off before it had
        # promised anything: it begins again.
        if not contents.hard_state.is_empty:
            storage.append(contents.entries)
    else:
        if database.exists():
            raise DataError(
                "there is a backend and no log",
                path=os.fspath(directory),
                remedy="bring back the log files, or start in an empty directory",
            )
        wal = Wal.create(directory, metadata, **options)
    return DiskLog(
        wal,
        directory,
        snapshots,
        root / "snap",
        snapshots_max=config.max_snapshots,
        wals_max=config.max_wals,
    )


def _check_belongings(
    directory: Path,
    database: Path,
    metadata: bytes,
    contents: WalContents,
    snapshot: Snapshot | None,
) -> None:
    """Refuse a log of another member, or one whose backend is gone.

    Raises:
        DataError: says which.
    """
    if contents.metadata != metadata:
        raise DataError(
            "the log belongs to another member or cluster",
            path=os.fspath(directory),
            remedy="start with that member's peer URLs and cluster token",
        )
    if snapshot is not None and not database.exists():
        raise DataError(
            "there is a raft snapshot and no backend",
            path=os.fspath(database),
            remedy="bring back the backend, or restore all of the data directory",
        )


def _read_repaired_log(
    directory: Path, snapshots: SnapshotFiles, open_wal: OpenWal
) -> tuple[Wal, WalContents, Snapshot | None]:
    """Read the log, after cutting off a torn end."""
    try:
        return _read_log(directory, snapshots, open_wal)
    except TornWriteError as error:
        # What was being written when the machine stopped was not acknowledged.
        logger.warning("repairing the log error=%s report=%s", error, repair(directory))
        return _read_log(directory, snapshots, open_wal)


def _read_log(
    directory: Path, snapshots: SnapshotFiles, open_wal: OpenWal
) -> tuple[Wal, WalContents, Snapshot | None]:
    """Open the log at the newest snapshot that can be read."""
    snapshot = snapshots.load_newest(valid_snapshots(directory))
    at = WalSnapshot(snapshot.index, snapshot.term) if snapshot else WalSnapshot()
    wal, contents = open_wal(directory, at)
    return wal, contents, snapshot


def _temporary_directory() -> TemporaryDirectory[str]:
    """Make a directory for a memory-only member, in memory where that exists."""
    shared_memory = "/dev/shm"
    parent = shared_memory if os.access(shared_memory, os.W_OK) else None
    return TemporaryDirectory(prefix="miniet-", dir=parent, ignore_cleanup_errors=True)
