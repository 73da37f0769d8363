"""`PlannedMember`: the counts of a member that only does what it is told it did.

The life of the raft log, the index, the file and the leases as arithmetic, with no
data: a million puts cost a few steps. What a real member decides by chance (where
a batch ends, which pages are free) is taken at its mean.
"""

from collections import deque
from math import ceil

from miniet.memory.counts import Counts
from miniet.predict.calibration import puts_per_batch
from miniet.predict.profiles import Profile
from miniet.releases import CATCHUP_ENTRIES

PAGE_BYTES = 4096
FILL_SHARE = 0.9
"""How full bbolt makes the pages of revisions before it splits them."""
ELEMENT_BYTES = 16 + 17
"""Of a leaf: an element's header, and a revision as its key."""
PAIR_BYTES = 14
"""Of an encoded key-value: tags, lengths and revisions beside key and value."""
REQUEST_BYTES = 20
"""Of an encoded request: its header, tags and lengths."""
OPERATION_BYTES = 8
"""Of one operation of a transaction: tags and lengths."""
BOOT_ENTRIES = 4
BOOT_ENTRY_BYTES = 60
"""The entries of an empty member: its membership, an empty one, name and version."""
FILE_BYTES_MIN = 5 * PAGE_BYTES


class PlannedMember:
    """A member as a ledger; `counts()` is what a real one would count.

    Puts go round the keys in turn. Sizes are bytes.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        snapshot_count: int | None = None,
        catch_up: int = CATCHUP_ENTRIES,
    ) -> None:
        """Begin with an empty member.

        Args:
            snapshot_count: --snapshot-count; None for the release's default.
            catch_up: entries that stay in the log when it is cut.
        """
        self._snapshot_count = snapshot_count or profile.log.snapshot_count
        self._cut_every = profile.log.memory_snapshot_count
        self._catch_up = catch_up
        self._log: deque[list[int]] = deque()  # [entries, bytes of each]
        self._first_index = 1
        self._last_index = 0
        self._snapshot_index = 0
        self._snapshot_range = (0, 0)  # where it may have been, by chance
        self._in_flight = 1
        self._keys = self._dead_keys = 0
        self._key_bytes = 0.0  # mean length
        self._revisions = self._dead_revisions = 0
        self._cut_revisions = self._compacted_revisions = 0
        self._revision, self._compact_revision = 1, -1
        self._stored = self._stored_live = 0.0
        self._file_bytes = self._opened_bytes = FILE_BYTES_MIN
        self._read_bytes = 0
        self._put_total = self._put_bytes = 0
        self._batch = (0, 0)
        self._leases = self._leases_max = 0
        self._attached = self._attached_max = self._queued = 0
        self._connections = self._streams = 0
        self._watchers = self._range_watchers = self._watched_keys = 0
        self._watcher_key_bytes = 0
        self._held_response = self._response_max = self._range_max = 0
        self._append(BOOT_ENTRIES, BOOT_ENTRY_BYTES)

    @property
    def is_cut_open(self) -> bool:
        """Whether chance decides if a cut of the log that falls due here was made.

        The test is made once per batch of applied entries, so a cut comes up to
        `in_flight` entries late.
        """
        first, last = self._snapshot_range
        if self._last_index < last:
            return self._first_index > 1
        due = self._snapshot_count + first < self._last_index
        made = self._last_index >= self._snapshot_count + last + self._in_flight
        drops = self._last_index - self._catch_up > self._first_index + self._in_flight
        return due and drops and not made

    def put(
        self,
        count: int,
        *,
        keys: int,
        key_bytes: int,
        value_bytes: int,
        per_txn: int = 1,
        in_flight: int = 1,
        is_leased: bool = False,
    ) -> None:
        """Put `count` times, in turn over `keys` keys, new ones first.

        Args:
            per_txn: puts of one transaction, and so of one raft entry.
            in_flight: requests that are under way at once.
            is_leased: every key is attached to one of the leases.
        """
        self._in_flight = in_flight
        put_bytes = key_bytes + value_bytes
        new = max(0, min(count, keys - self._keys))
        if new:
            total = self._keys * self._key_bytes + new * key_bytes
            self._key_bytes = total / (self._keys + new)
        self._keys += new
        self._revisions += count
        self._revision += ceil(count / per_txn)
        stored = pair_bytes(put_bytes)
        share = min(1.0, (count - new) / max(1, self._keys - new))
        self._stored_live *= 1 - share
        self._stored_live += stored * min(self._keys, count)
        self._stored += stored * count
        self._grow_file(churned=count * put_bytes)
        self._put_total += count
        self._put_bytes += count * put_bytes
        batch = min(count, round(puts_per_batch(put_bytes, per_txn)))
        self._batch = (batch, batch * put_bytes)
        if is_leased:
            self._attached += new
            self._attached_max = max(self._attached, self._attached_max)
        size = put_bytes * per_txn + REQUEST_BYTES
        if per_txn > 1:
            size += OPERATION_BYTES * per_txn
        self._append(ceil(count / per_txn), size)

    def delete(self, count: int, *, per_txn: int | None = None) -> None:
        """Delete `count` keys, in one request or `per_txn` to a transaction."""
        count = min(count, self._keys)
        if not count:
            return
        of_each = self._living_revisions() / self._keys
        share = count / self._keys
        self._dead_revisions += round(count * (of_each + 1))
        self._revisions += count
        self._stored_live *= 1 - share
        self._stored += count * pair_bytes(self._key_bytes)
        self._attached = round(self._attached * (1 - share))
        self._keys -= count
        self._dead_keys += count
        self._grow_file(churned=0)
        batch = min(count, per_txn * 100) if per_txn else count
        self._batch = (batch, round(batch * self._key_bytes))
        entries = ceil(count / per_txn) if per_txn else 1
        self._revision += entries
        operation = self._key_bytes + OPERATION_BYTES
        size = round(operation * (per_txn or 1)) + REQUEST_BYTES
        self._append(entries, size)

    def compact(self) -> None:
        """Compact at the latest revision."""
        self._cut_revisions = self._living_revisions() - self._keys
        self._compacted_revisions = self._revisions = self._keys
        self._dead_keys = self._dead_revisions = 0
        self._stored = self._stored_live
        self._compact_revision = self._revision
        self._append(1, REQUEST_BYTES)

    def defragment(self) -> None:
        """Copy what is in use to a new file."""
        self._file_bytes = self._opened_bytes = self._in_use()
        self._read_bytes = 0

    def restart(self) -> None:
        """Stop and start on the same data: the log from the last snapshot on."""
        while self._first_index <= self._snapshot_index:
            self._drop(self._snapshot_index + 1 - self._first_index)
        self._snapshot_range = (self._snapshot_index, self._snapshot_index)
        self._opened_bytes = self._file_bytes
        self._read_bytes = self._put_total = self._put_bytes = 0
        self._cut_revisions = self._compacted_revisions = 0
        self._batch = (0, 0)
        self._leases_max, self._attached_max = self._leases, self._attached
        self._queued = self._leases
        self._connections = self._streams = 0
        self._watchers = self._range_watchers = self._watched_keys = 0
        self._held_response = self._response_max = self._range_max = 0
        self._append(2, BOOT_ENTRY_BYTES)

    def read(self, value_bytes: int) -> None:
        """Read values of so many bytes in all, a few at a time."""
        self._read_bytes += value_bytes

    def range_at_once(
        self, count: int, response_bytes: int, *, read_bytes: int | None = None
    ) -> None:
        """Answer `count` ranges at once, and have the answers taken.

        Args:
            read_bytes: values read for one of them, if not what it returns.
        """
        self._response_max = max(self._response_max, count * response_bytes)
        self._range_max = max(self._range_max, response_bytes)
        self._read_bytes += count * (read_bytes or response_bytes)

    def hold_responses(self, response_bytes: int) -> None:
        """Keep so many bytes of answers that their clients do not take."""
        self._held_response = response_bytes

    def grant(self, count: int, *, in_flight: int = 1) -> None:
        """Grant leases."""
        self._in_flight = in_flight
        self._leases += count
        self._queued += count
        self._leases_max = max(self._leases, self._leases_max)
        self._append(count, 28)

    def revoke_all(self) -> None:
        """Revoke every lease; its keys are deleted with it.

        The elements of the expiry heap stay until their time.
        """
        count, attached = self._leases, self._attached
        self._leases = self._attached = 0
        if attached:
            self.delete(attached, per_txn=ceil(attached / max(1, count)))
            self._append(count - min(count, attached), 28)
        else:
            self._append(count, 28)

    def connect(
        self,
        *,
        connections: int,
        streams: int = 0,
        watchers: int = 0,
        range_watchers: int = 0,
        watched_keys: int | None = None,
        key_bytes: int = 16,
    ) -> None:
        """Have so many clients, with so much watching, from now on.

        Args:
            watchers: those of one key each.
            watched_keys: distinct keys of those; None if each has its own.
        """
        self._connections, self._streams = connections, streams
        self._watchers = watchers + range_watchers
        self._range_watchers = range_watchers
        self._watched_keys = watchers if watched_keys is None else watched_keys
        self._watcher_key_bytes = (watchers + 2 * range_watchers) * key_bytes

    def counts(self) -> Counts:
        """Return what it holds now."""
        key_count = self._keys + self._dead_keys
        batch_count, batch_bytes = self._batch
        return Counts(
            raft_entry_count=self._last_index - self._first_index + 1,
            raft_payload_bytes=sum(count * size for count, size in self._log),
            raft_first_index=self._first_index,
            raft_last_index=self._last_index,
            raft_snapshot_index=self._snapshot_index,
            key_count=self._keys,
            index_key_count=key_count,
            index_key_bytes=round(key_count * self._key_bytes),
            index_generation_count=key_count + self._dead_keys,
            index_revision_count=self._revisions,
            index_cut_revision_count=self._cut_revisions,
            index_compacted_revision_count=self._compacted_revisions,
            current_revision=self._revision,
            compact_revision=self._compact_revision,
            put_total=self._put_total,
            put_bytes_total=self._put_bytes,
            backend_size_bytes=self._file_bytes,
            backend_in_use_bytes=self._in_use(),
            backend_opened_bytes=self._opened_bytes,
            backend_read_bytes=self._read_bytes,
            backend_last_commit_count=batch_count,
            backend_last_commit_bytes=batch_bytes,
            lease_count=self._leases,
            lease_count_max=self._leases_max,
            keyed_lease_count=min(self._leases, self._attached),
            attached_key_count=self._attached,
            attached_key_count_max=self._attached_max,
            attached_key_bytes=round(self._attached * self._key_bytes),
            lease_heap_element_count=self._queued,
            connection_count=self._connections,
            stream_count=self._streams,
            watcher_count=self._watchers,
            range_watcher_count=self._range_watchers,
            watched_key_count=self._watched_keys,
            watcher_key_bytes=self._watcher_key_bytes,
            response_in_flight_bytes=self._held_response,
            response_in_flight_bytes_max=max(self._response_max, self._held_response),
            range_response_bytes_max=self._range_max,
        )

    def _living_revisions(self) -> int:
        return self._revisions - self._dead_revisions

    def _in_use(self) -> int:
        return max(FILE_BYTES_MIN, round(self._stored))

    def _grow_file(self, churned: int) -> None:
        """Large values leave free pages: each commit writes the last leaf anew."""
        batches = churned / max(1.0, puts_per_batch(churned / max(1, self._put_total)))
        free = min(0.15 * self._in_use(), batches)
        self._file_bytes = max(self._file_bytes, round(self._in_use() + free))

    def _append(self, count: int, size: int) -> None:
        """Append entries, with the snapshots and cuts that fall due between them."""
        while count > 0:
            step = min(count, max(1, self._next_cut() - self._last_index))
            if self._log and self._log[-1][1] == size:
                self._log[-1][0] += step
            else:
                self._log.append([step, size])
            self._last_index += step
            count -= step
            if self._last_index >= self._next_cut():
                self._cut()
                count -= self._skip(count)

    def _skip(self, count: int) -> int:
        """Skip whole cycles of equal entries: after each the log is the same again."""
        is_cycle = self._last_index == self._snapshot_index and len(self._log) == 1
        if not is_cycle or self._log[0][0] != self._catch_up:
            return 0
        cycle = self._snapshot_count + 1 + self._in_flight // 2
        skipped = count // cycle * cycle
        self._first_index += skipped
        self._last_index += skipped
        self._snapshot_index += skipped
        first, last = self._snapshot_range
        self._snapshot_range = (
            first + skipped // cycle * (self._snapshot_count + 1),
            last + skipped // cycle * (self._snapshot_count + self._in_flight),
        )
        return skipped

    def _next_cut(self) -> int:
        """Index at which a snapshot or a cut falls due.

        The test is made once per batch of applied entries: half a batch late.
        """
        late = self._in_flight // 2
        snapshot = self._snapshot_index + self._snapshot_count + 1 + late
        if not self._cut_every:
            return snapshot
        cut = self._first_index - 1 + self._catch_up + self._cut_every
        return min(snapshot, cut)

    def _cut(self) -> None:
        late = self._in_flight // 2
        if self._last_index > self._snapshot_index + self._snapshot_count + late:
            self._snapshot_index = self._last_index
            first, last = self._snapshot_range
            self._snapshot_range = (
                first + self._snapshot_count + 1,
                last + self._snapshot_count + self._in_flight,
            )
        self._drop(self._last_index - self._catch_up + 1 - self._first_index)

    def _drop(self, count: int) -> None:
        """Take entries off the front."""
        while count > 0 and self._log:
            part = self._log[0]
            step = min(count, part[0])
            part[0] -= step
            count -= step
            self._first_index += step
            if not part[0]:
                self._log.popleft()


def pair_bytes(payload_bytes: float) -> float:
    """Return what a key-value takes of the file, its share of pages.

    A leaf is split at 90 % of a page, but never below two pairs: large values take
    two to a run of whole pages.
    """
    element = ELEMENT_BYTES + PAIR_BYTES + payload_bytes
    fitting = int((FILL_SHARE * PAGE_BYTES - 16) // element)
    pairs = max(2, fitting)
    return ceil((16 + pairs * element) / PAGE_BYTES) * PAGE_BYTES / pairs
