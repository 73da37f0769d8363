"""`Subject`: the server of one variant, loaded and looked at stage by stage."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

from miniet.client import ClientError, EtcdClient, read_capture
from miniet.clock import Clock
from miniet.lab.target import Server, Setup
from miniet.memory.capture import Capture
from miniet.memory.timeline import Timeline
from miniet.predict import GoModel, profile_of
from miniet.report.run import Stage, Variant

SETTLE_S = 0.15
"""Wait before a stage is read: the backend commits every 100 ms, and a store between
two commits holds pairs that have nothing to do with the stage."""
TXN_PUTS = 100
"""Puts in one txn while loading; a server takes 128 unless told otherwise."""
_POINT_PERIOD_S = 0.5
_TRACED_POINT_PERIOD_S = 3.0
"""A traced reading forks the server and reads every block: seconds, if apart."""
_POINTS_MAX = 120


class Progress(Protocol):
    """Who shows how far long work is."""

    def begin(self, text: str, total: int | None) -> None:
        """A piece of work begins; `total` steps, None if that is not known."""

    def advance(self, steps: int) -> None:
        """So many more steps of it are done."""


@dataclass(frozen=True, slots=True)
class Where:
    """What a subject needs besides its server."""

    clock: Clock
    progress: Progress
    prefix: bytes
    """Of every key, on a server that is somebody's: these keys are deleted at the
    end. Empty on a server of the lab's own."""


class Subject:
    """One server under one load.

    Args:
        server: it runs, and goes on after this.
    """

    def __init__(self, setup: Setup, server: Server, where: Where) -> None:
        self.name = setup.name
        self._server = server
        self._where = where
        self._stages: list[Stage] = []
        self._connections = ExitStack()
        self._model: GoModel | None = None
        self._timeline = Timeline(
            self.read,
            where.clock,
            period_s=_TRACED_POINT_PERIOD_S if setup.is_traced else _POINT_PERIOD_S,
            points_max=_POINTS_MAX,
        )

    def __enter__(self) -> Self:
        self.client = self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if prefix := self._where.prefix:
                # The key after all that begin with the prefix.
                self.client.delete(prefix, prefix[:-1] + bytes([prefix[-1] + 1]))
        except ClientError:
            # What went wrong before is the news, if something did.
            if error is None:
                raise
        finally:
            self._connections.close()

    def connect(self) -> EtcdClient:
        """Open a further connection; it ends with the subject."""
        return self._connections.enter_context(EtcdClient(self._server.endpoint))

    def key(self, name: str) -> bytes:
        """Return a key of that name, below the lab's own prefix."""
        return self._where.prefix + name.encode()

    def put_all(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        *,
        total: int | None = None,
        in_flight: int = 16,
        text: str = "putting",
    ) -> int:
        """Write pairs with a put each and return the last revision.

        Args:
            total: how many there are, for the progress shown.
        """
        self._where.progress.begin(f"{self.name}: {text}", total)
        return self.client.put_all(pairs, in_flight=in_flight, on_put=self._advance)

    def put_together(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        *,
        total: int | None = None,
        text: str = "putting",
    ) -> int:
        """Write pairs in txns of 100 and return the last revision.

        No key may come twice within 100 pairs.
        """
        self._where.progress.begin(f"{self.name}: {text}", total)
        revision = 0
        for batch in _batches(iter(pairs)):
            revision = self.client.put_together(batch)
            self._advance(len(batch))
        return revision

    def each(self, items: Iterable[int], text: str) -> Iterator[int]:
        """Go through a range with the progress shown and the timeline kept."""
        items = list(items)
        self._where.progress.begin(f"{self.name}: {text}", len(items))
        for item in items:
            yield item
            self._advance()

    def compact(self) -> int:
        """Compact at the current revision, and return it when that is done."""
        revision = self.revision()
        self.rest(revision)
        return revision

    def revision(self) -> int:
        """Return the revision of the last change."""
        return int(self.client.status().header.revision)

    def rest(self, revision: int) -> None:
        """Compact at a revision from before the last load, which drops next to nothing.

        Go's backend buffers point to the pairs of the last batches, up to 10,000,
        until a commit finds nothing of the kind written. A compaction is such a
        commit, and after it small structures can be measured.
        """
        self._work("compacting", lambda: self.client.compact(revision))

    def defragment(self) -> None:
        """Give the backend's free pages back."""
        self._work("defragmenting", self.client.defragment)

    def restart(self) -> None:
        """Start the server anew on its data; connections are made again.

        Raises:
            LabError: it does not start, or is not the lab's.
        """
        self._connections.close()
        self._work("restarting", self._server.restart)
        self.client = self.connect()
        if self._model is not None:
            self._model.restart()

    def idle(self, seconds: float, text: str = "waiting") -> None:
        """Leave the server alone, but for the timeline's readings."""
        whole = max(round(seconds), 1)
        for _ in self.each(range(whole), text):
            time.sleep(seconds / whole)

    def read(
        self, label: str = "", *, collect: bool = False, new_peak: bool = False
    ) -> Capture:
        """Read what the server holds; no stage is made of it.

        Args:
            new_peak: begin a new peak of the resident size, if that is allowed.
        """
        return read_capture(
            self._server.endpoint,
            pid=self._server.pid,
            label=label,
            collect=collect,
            new_peak=new_peak,
        )

    def stage(
        self,
        name: str,
        *,
        collect: bool = False,
        idle_s: float = 0.0,
        settle: bool = True,
        known: Mapping[str, int] | None = None,
    ) -> Capture:
        """Read everything at the end of a stage.

        Args:
            name: what had been done, a participle: `loaded`.
            collect: force a real etcd's collection, to see its live heap. What it
                had not collected until then, later stages will not show any more.
            idle_s: how long it was left alone right before.
            settle: wait until the backend has committed what was put.
            known: fields of counts that the load implies; used where a real etcd
                does not tell them, and in place of estimates.
        """
        self._where.progress.begin(f"{self.name}: {name}", None)
        if settle:
            time.sleep(SETTLE_S)
        capture = _with_known(self.read(name, collect=collect), known or {})
        model = self._model = self._model or GoModel.of_flags(
            profile_of(capture.profile), capture.flags
        )
        if capture.go is not None and capture.go.is_collected:
            model.collect()
        prediction = model.step(capture.counts, idle_s=idle_s)
        self._stages.append(Stage(name=name, capture=capture, prediction=prediction))
        return capture

    def variant(self) -> Variant:
        """Return what was found."""
        return Variant(
            name=self.name,
            stages=tuple(self._stages),
            timeline=tuple(point.capture for point in self._timeline.points),
        )

    def _advance(self, steps: int = 1) -> None:
        self._where.progress.advance(steps)
        self._timeline.step()

    def _work(self, text: str, work: Callable[[], None]) -> None:
        self._where.progress.begin(f"{self.name}: {text}", None)
        self._timeline.take()
        work()


def _batches(
    pairs: Iterator[tuple[bytes, bytes]],
) -> Iterator[list[tuple[bytes, bytes]]]:
    while batch := list(islice(pairs, TXN_PUTS)):
        yield batch


def _with_known(capture: Capture, known: Mapping[str, int]) -> Capture:
    """Fill in what the reader could not see or only guess, and the load implies."""
    doubtful = {*capture.unseen, *capture.estimated}
    added = {name: value for name, value in known.items() if name in doubtful}
    if not added:
        return capture
    return replace(
        capture,
        counts=replace(capture.counts, **added),
        unseen=tuple(name for name in capture.unseen if name not in added),
        estimated={**capture.estimated, **dict.fromkeys(added, "what the lab put")},
    )
