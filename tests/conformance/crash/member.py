"""A member on its files, driven by hand: every step of a crash can be chosen."""

import shutil
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from miniet.clock import ManualClock
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.server.bootstrap import build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations


class Member:
    """What `build_member` makes, in the hands of a driver that never waits.

    It ends without a commit, as in a crash, unless `stop` is called.
    """

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        config = Config(unsafe_no_fsync=True, **settings)
        self._built = build_member(
            config, str(data_dir), (), ManualClock(), Random(0), Durations()
        )
        self._is_open = True
        self.engine = self._built.engine
        self.backend = self._built.backend
        self.engine.campaign_soon()
        self.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(commit=False)

    def stop(self) -> None:
        """End with a commit, as after a signal."""
        self._close(commit=True)

    def run(self) -> None:
        """Do what there is to do."""
        engine, log = self.engine, self._built.log
        while (ready := engine.ready()) is not None:
            log.append(ready.hard_state, ready.entries)
            log.flush(True)
            engine.apply(ready)
            engine.persisted(ready)
            if engine.is_snapshot_due:
                snapshot = engine.make_snapshot()
                log.save_snapshot(snapshot)
                engine.snapshot_saved(snapshot)

    def put(self, count: int) -> None:
        """Write `count` times, to two keys in turn."""
        for number in range(count):
            request = rpc_pb2.PutRequest(key=b"ab"[number % 2 :][:1], value=b"v")
            self.propose(RequestKind.PUT, request.SerializeToString())

    def propose(self, kind: RequestKind, body: bytes) -> None:
        """Put a request through the log."""
        answers: list[object] = []
        self.engine.propose(kind, body, answers.append)
        self.run()
        assert answers
        assert not isinstance(answers[0], Exception), answers[0]

    @property
    def applied_puts(self) -> int:
        """Puts carried out since this member was built."""
        return self.engine.store.statistics().put_total

    @property
    def state(self) -> tuple[int, int]:
        """Revision, and the hash of all history."""
        store = self.engine.store
        self.backend.commit()
        return store.current_revision, store.hash_by_revision(0).hash

    def _close(self, *, commit: bool) -> None:
        if self._is_open:
            self._is_open = False
            self._built.close(commit=commit)


class Files:
    """The data directory of a member, and copies of it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.db = data_dir / "member" / "snap" / "db"
        self.snap = data_dir / "member" / "snap"
        self.wal = data_dir / "member" / "wal"

    @property
    def last_segment(self) -> Path:
        """The segment that is written."""
        return max(self.wal.glob("*.wal"))

    @property
    def snapshots(self) -> list[Path]:
        """The raft snapshots, oldest first."""
        return sorted(self.snap.glob("*.snap"))

    def copy_of(self, path: Path) -> Path:
        """Copy a file or directory aside; returns the copy."""
        copy = self.data_dir / "aside" / path.name
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(path, copy)
        return copy
