"""`Engine`: one member without its network and without its disk's waiting.

The contract of one turn, for the driver:

1. `ready()` says what is to be done, or None.
2. Write the entries and hard state to the log store. If `must_sync`, start
   making them durable, off the loop if it likes.
3. Meanwhile `apply()` the committed entries: they were durable before, so this
   may run beside the write. Answers are called from here.
4. When the log store is done, `persisted()`. Then take the next `ready()`.

Requests that come in meanwhile pile up in raft's unstable log and share the next
write.
"""

from dataclasses import replace
from random import Random

from miniet.clock import Clock
from miniet.engine.alarms import Alarms
from miniet.engine.apply import Applier
from miniet.engine.compactions import Compactions
from miniet.engine.compactor import Compactor
from miniet.engine.conf_changes import conf_change_error
from miniet.engine.config import APPLY_LAG_MAX, CLUSTER_VERSION, EngineConfig
from miniet.engine.consistent_index import ConsistentIndex
from miniet.engine.errors import NoSpaceError, TooManyRequestsError
from miniet.engine.lease_expiry import LeaseExpiry
from miniet.engine.lease_store import BackendLeaseStore
from miniet.engine.log_snapshots import LogSnapshots
from miniet.engine.membership import Membership
from miniet.engine.ports import EngineBackend
from miniet.engine.proposals import Proposals
from miniet.engine.quota import Quota
from miniet.engine.read_points import ReadAnswer, ReadPoints
from miniet.engine.renewals import Renewals, RenewAnswer
from miniet.engine.request_ids import RequestIds
from miniet.engine.requests import (
    ClusterVersionSetRequest,
    LeaseCheckpointRequest,
    LeaseRevokeRequest,
    MemberAttributesSetRequest,
    Request,
    RequestKind,
)
from miniet.engine.results import ApplyResult, CompactionResult, DoneResult
from miniet.engine.space import Space
from miniet.engine.statistics import EngineStatistics
from miniet.engine.waiters import Answer
from miniet.errors import InvariantError, RequestError
from miniet.lease import Lessor
from miniet.mvcc import Store
from miniet.raft import (
    ConfChange,
    Entry,
    EntryType,
    MemoryStorage,
    RaftConfig,
    RawNode,
    Ready,
    Snapshot,
    SoftState,
    StateType,
    decode_conf_change,
)
from miniet.watch import WatchableStore


class Engine:
    """Proposals and reads in; what to persist, and answers, out.

    Args:
        raft_storage: filled from snapshot and log store at a restart, empty for a
            new member.
        backend: open; holds the state up to its consistent index.
        rng: for the election timeout and the watch progress interval.
    """

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        raft_storage: MemoryStorage,
        backend: EngineBackend,
        rng: Random,
        compactor: Compactor | None = None,
    ) -> None:
        self.config = config
        self._clock = clock
        self.backend = backend
        self._raft_storage = raft_storage
        self.lessor = Lessor(
            clock,
            BackendLeaseStore(backend),
            min_ttl_s=config.lease_ttl_min_s,
            checkpoints=config.lease_checkpoints,
            persist_checkpoints=config.lease_checkpoints_persist,
            expired_retry_interval_s=config.request_timeout_s,
        )
        self.store = Store(backend, self.lessor)
        self.lessor.range_deleter = self.store
        self.watch = WatchableStore(
            self.store,
            clock,
            rng,
            fragment_bytes=config.watch_fragment_bytes,
            progress_interval_s=config.watch_progress_interval_s,
        )
        self.alarms = Alarms(backend)
        self.membership = Membership(backend, config.cluster_id)
        self.quota = Quota(config.quota_bytes)
        self._applier = Applier(
            backend, self.store, self.lessor, self.alarms, self.membership, self.quota
        )
        self._consistent_index = ConsistentIndex(backend)
        self._begin_at(raft_storage, rng)
        self._space = Space(
            self.quota, backend, self.alarms, self._proposals, config.member.member_id
        )
        self._compactions = Compactions(
            self.store,
            backend,
            self._proposals,
            compactor,
            batch_limit=config.compaction_batch_limit,
        )

    def _begin_at(self, raft_storage: MemoryStorage, rng: Random) -> None:
        """Put raft and what surrounds it on top of a log."""
        config = self.config
        raft_config = RaftConfig(
            id=config.member.member_id, random=rng, election_ticks=config.election_ticks
        )
        self._raft = RawNode(raft_config, raft_storage)
        self.request_ids = RequestIds(config.member.member_id, self._clock.unix_s())
        self._proposals = Proposals(
            self._raft,
            self.request_ids,
            self._clock,
            timeout_s=config.request_timeout_s,
            request_bytes_max=config.max_request_bytes,
        )
        self._read_points = ReadPoints()
        self._renewals = Renewals(self.lessor, self._proposals)
        self._lease_expiry = LeaseExpiry(self.lessor, self._proposals)
        # Everything up to this index is in the backend since before the start.
        self._replayed_index = 0
        self._applied_index = 0
        self._snapshots = LogSnapshots(config, raft_storage, self.membership)
        # As of the last Ready, so that asking costs nothing.
        self._hard_state, self._conf_state = raft_storage.initial_state()
        self._leader_id = 0
        self._is_leader = False
        self._leader_changes_total = 0
        self._slow_applies_total = 0
        self._campaign_pending = False

    # ---- life

    def bootstrap(self) -> None:
        """Make the log of a new cluster of this one member."""
        member = self.config.member
        founder = replace(member, name="", client_urls=())
        self._raft.bootstrap([(member.member_id, founder.to_json())])

    def restore(self) -> None:
        """Rebuild what lives in memory from the backend; call it once, first.

        Raises:
            DataError: the backend holds what cannot be read.
        """
        self._consistent_index.restore()
        self._replayed_index = self._consistent_index.value
        self._applied_index = self._snapshots.disk_index
        self._consistent_index.check_log(
            self._applied_index, self._raft_storage.last_index()
        )
        self.membership.restore()
        self.alarms.restore()
        # Leases first: the store attaches keys to them.
        self.lessor.restore()
        self.store.restore()

    def campaign_soon(self) -> None:
        """Stand for election as soon as what the log holds is applied.

        For a member alone: there is no one else to wait for.
        """
        self._campaign_pending = True

    def stop(self) -> None:
        """Answer all who wait; nothing is accepted any more."""
        self._proposals.stop()
        self._read_points.stop()
        self._renewals.stop()
        self._compactions.stop()

    # ---- questions

    @property
    def is_leader(self) -> bool:
        """Whether this member leads; then leases expire here."""
        return self._is_leader

    @property
    def is_serving(self) -> bool:
        """Whether clients may come: all before its term is applied, its name told."""
        member = self.membership.get(self.config.member.member_id)
        return self.lessor.is_primary and member is not None and bool(member.name)

    @property
    def applied_index(self) -> int:
        """Index of the last applied entry."""
        return self._applied_index

    @property
    def term(self) -> int:
        """The present term."""
        return self._hard_state.term

    @property
    def leader_id(self) -> int:
        """The member that leads, 0 for none known."""
        return self._leader_id

    @property
    def committed_index(self) -> int:
        """Index of the last entry known to be committed."""
        return self._hard_state.commit

    # ---- requests

    def check_quota(self, cost_bytes: int) -> None:
        """Refuse a write for which there is no space; comes before other checks.

        Raises:
            NoSpaceError: the alarm is up, or being raised.
        """
        self._space.check(cost_bytes)

    def propose(
        self,
        kind: RequestKind,
        body: bytes,
        answer: Answer,
        request: Request | None = None,
    ) -> None:
        """Put a request into the log; `answer` gets its result once.

        `body` is the request's message as the API defines it, checked before;
        `request` is the same decoded, for those who have it.
        """
        lag = self.committed_index - self._applied_index
        if lag > APPLY_LAG_MAX:
            self._proposals.refuse(TooManyRequestsError(lag, APPLY_LAG_MAX), answer)
        else:
            self._proposals.propose(kind, body, answer, request)

    def propose_conf_change(self, change: ConfChange, answer: Answer) -> None:
        """Put a change of membership into the log; its id must be a request id."""
        self._proposals.propose_conf_change(change, answer)

    def read(self, answer: ReadAnswer) -> None:
        """Wait for a linearizable read point: `answer(None)` means read now."""
        self._read_points.add(answer)

    def renew(self, lease_id: int, answer: RenewAnswer) -> None:
        """Renew a lease; `answer` gets its TTL in seconds, 0 if it is gone.

        The answer for one that has expired comes when its keys are deleted.
        """
        self._renewals.renew(lease_id, answer)

    # ---- one turn

    def ready(self) -> Ready | None:
        """Return what is to be done now, or None; see the module for the contract."""
        self._proposals.hand_over()
        # Without a leader the question would be lost.
        if self._is_leader and self._read_points.is_asking_due:
            context = self.request_ids.next().to_bytes(8, "big")
            self._read_points.ask(context)
            self._raft.read_index(context)
        if not self._raft.has_ready():
            if not self._campaign_pending:
                return None
            self._campaign_pending = False
            self._raft.campaign()
        ready = self._raft.ready()
        if ready.hard_state is not None:
            self._hard_state = ready.hard_state
        if ready.soft_state is not None:
            self._lead(ready.soft_state)
        for read_state in ready.read_states:
            self._read_points.confirm(read_state)
        return ready

    def apply(self, ready: Ready) -> None:
        """Apply the committed entries and answer whom that serves.

        After an exception the member can only be started again: nothing of it is
        committed any more.
        """
        now_s = self._clock.monotonic_s
        begun_s = now_s()
        for entry in ready.committed_entries:
            try:
                self._apply_entry(entry)
            except BaseException:
                self._consistent_index.forbid_commits()
                raise
            ended_s = now_s()
            if ended_s - begun_s > self.config.slow_apply_s:
                self._slow_applies_total += 1
            begun_s = ended_s
        self._read_points.release(self._applied_index)
        self.step_commit()

    def persisted(self, ready: Ready) -> None:
        """Take note that the log store holds what this `ready` asked for."""
        self._raft_storage.append(ready.entries)
        self._raft.advance()
        if self._snapshots.is_due_in_memory(self._applied_index):
            snapshot = self._snapshots.take(self._applied_index, self._conf_state)
            self._snapshots.compact(snapshot)

    def _lead(self, state: SoftState) -> None:
        if state.lead and not self._leader_id:
            self._leader_changes_total += 1
        self._leader_id = state.lead
        leads = state.state == StateType.LEADER
        if self._is_leader and not leads:
            self.lessor.demote()
        self._is_leader = leads

    def _apply_entry(self, entry: Entry) -> None:
        is_new = entry.index > self._replayed_index
        if entry.type == EntryType.CONF_CHANGE:
            self._apply_conf_change(decode_conf_change(entry.data), is_new)
        elif not entry.data:
            self._begin_term(entry.term)
        elif is_new:
            self._apply_request(entry)
        self._applied_index = entry.index
        if is_new:
            self._consistent_index.value = entry.index

    def _begin_term(self, term: int) -> None:
        """The leader's empty entry is applied: everything before its term is.

        A later empty entry stands where a second conf change was turned down.
        """
        if not self._is_leader or term != self.term or self.lessor.is_primary:
            return
        self.lessor.promote(self.config.election_timeout_s)
        self._publish()

    def _publish(self) -> None:
        own = self.config.member
        known = self.membership.get(own.member_id)
        if known is None or (known.name, known.client_urls) != (
            own.name,
            own.client_urls,
        ):
            self._proposals.propose_own(
                MemberAttributesSetRequest(own.member_id, own.name, own.client_urls)
            )
        if not self.membership.cluster_version:
            self._proposals.propose_own(ClusterVersionSetRequest(CLUSTER_VERSION))

    def _apply_request(self, entry: Entry) -> None:
        request_id, request = self._proposals.decode(entry)
        outcome: ApplyResult | RequestError
        try:
            outcome = self._applier.apply(request)
        except RequestError as error:
            if self.store.is_poisoned:
                raise InvariantError("refused after its first write") from error
            outcome = error
        if isinstance(outcome, NoSpaceError):
            self._space.answer(request_id, outcome)
        elif isinstance(outcome, CompactionResult) and outcome.is_physical:
            self._compactions.answer_when_done(request_id, outcome)
        else:
            self._proposals.resolve(request_id, outcome)
        if isinstance(request, LeaseRevokeRequest):
            self._renewals.revoked(request.lease_id)

    def _apply_conf_change(self, change: ConfChange, is_new: bool) -> None:
        error = conf_change_error(change, self.membership) if is_new else None
        if error is not None:
            # Raft must hear of every conf change; node 0 makes it one of nothing.
            self._raft.apply_conf_change(replace(change, node_id=0))
            self._proposals.resolve(change.id, error)
            return
        self._conf_state = self._raft.apply_conf_change(change)
        if is_new:
            self.membership.apply(change)
            self._proposals.resolve(change.id, DoneResult())

    # ---- what time brings; the driver calls these at their pace

    def tick(self) -> None:
        """One heartbeat interval has passed."""
        self._raft.tick()
        self._proposals.expire()

    def step_leases(self) -> None:
        """Propose the end of expired leases, and checkpoints; every 500 ms.

        There are none where no time runs, on a member that does not lead.
        """
        self._lease_expiry.step()
        checkpoints = self.lessor.take_checkpoints()
        if checkpoints:
            self._proposals.propose_own(LeaseCheckpointRequest(checkpoints))

    def step_compaction(self) -> bool:
        """Carry out one batch of a compaction; tell whether there is more."""
        return self._compactions.step()

    def step_auto_compaction(self) -> None:
        """Propose a compaction if the compactor finds one due."""
        self._compactions.step_automatic(is_leader=self._is_leader)

    def step_commit(self) -> None:
        """Commit the backend if that is due."""
        self.backend.step_commit(self._clock.monotonic_s())

    # ---- raft snapshots

    @property
    def is_snapshot_due(self) -> bool:
        """Whether more than `snapshot_count` entries were applied since the last.

        Those that stay in memory are not the driver's: `persisted` takes them.
        """
        return self._snapshots.is_due(self._applied_index)

    def make_snapshot(self) -> Snapshot:
        """Take a raft snapshot of what is applied, to be saved by the driver.

        The backend is committed first: it must never be older than the snapshot,
        even if all entries since the last commit wrote nothing.
        """
        self._consistent_index.save()
        self.backend.commit()
        snapshot = self._snapshots.take(self._applied_index, self._conf_state)
        self._snapshots.disk_index = snapshot.index
        return snapshot

    def snapshot_saved(self, snapshot: Snapshot) -> None:
        """Let go of the entries that the saved snapshot makes dispensable."""
        self._snapshots.compact(snapshot)

    # ---- memory-only servers

    def reset(self) -> None:
        """Empty everything at once: a store at revision 1, and the same member.

        Only for a server without a log on disk, which would bring it all back, and
        without open watch streams, whose revisions would not come again.
        """
        is_primary = self.lessor.is_primary
        self.backend.reset()
        self.store.reset()
        self.watch.reset()
        self.lessor.reset()
        self._lease_expiry.reset()
        self._renewals.reset()
        self.alarms.restore()
        self._consistent_index.reset()
        for member in self.membership.members:
            self.membership.save(member)
        self.membership.set_version(self.membership.cluster_version)
        if is_primary:
            self.lessor.promote(0)
        if self._applied_index > self._snapshots.disk_index:
            self.make_snapshot()
            if self._applied_index >= self._raft_storage.first_index():
                self._raft_storage.compact(self._applied_index)

    # ---- statistics

    def statistics(self) -> EngineStatistics:
        """Return the present counts of every component."""
        return EngineStatistics(
            raft=self._raft.statistics(),
            store=self.store.statistics(),
            lease=self.lessor.statistics(),
            watch=self.watch.statistics(),
            applied_index=self._applied_index,
            snapshot_index=self._snapshots.disk_index,
            proposals_pending=self._proposals.pending_count,
            proposals_failed_total=self._proposals.failed_total,
            leader_changes_total=self._leader_changes_total,
            slow_applies_total=self._slow_applies_total,
            quota_bytes=self.quota.quota_bytes,
        )
