"""raft: when an entry is committed, when a read may be answered, what the log keeps."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/raft/"
_CASES = "tests/conformance/raft/"

_raft = partial(
    Mutation, file="miniet/raft/raft.py", tests=(_UNIT + "test_raw_node.py",)
)
_raw_node = partial(
    Mutation, file="miniet/raft/raw_node.py", tests=(_UNIT + "test_raw_node.py",)
)
_log = partial(
    Mutation,
    file="miniet/raft/log.py",
    tests=(_UNIT + "test_log.py", _CASES + "test_log_cases.py"),
)
_storage = partial(
    Mutation,
    file="miniet/raft/memory_storage.py",
    tests=(_UNIT + "test_memory_storage.py",),
)
_unstable = partial(
    Mutation, file="miniet/raft/unstable.py", tests=(_UNIT + "test_unstable.py",)
)

MUTATIONS = (
    _raft(
        name="raft/commit-before-durable",
        breaks="an entry is committed before it is on the disk",
        old="        self._promise(MessageType.APP_RESP, index)\n",
        new="        self._count_match(index)\n",
    ),
    _raft(
        name="raft/vote-before-durable",
        breaks="a node leads before its vote is on the disk",
        old="            self._promise(MessageType.VOTE_RESP, 0)\n",
        new="            self.become_leader()\n",
    ),
    _raft(
        name="raft/read-index-early",
        breaks="a new leader answers reads before it knows what is committed",
        old="            if self._has_committed_in_term():\n",
        new="            if self.log.committed:\n",
    ),
    _raft(
        name="raft/read-index-lost",
        breaks="reads that waited for the first commit are never answered",
        old="        for context in self.postponed_reads:\n",
        new="        for context in self.read_states and self.postponed_reads:\n",
    ),
    _raft(
        name="raft/two-changes",
        breaks="a second membership change enters before the first is applied",
        old="        if pending_conf_index > self.log.applied:\n",
        new="        if pending_conf_index < 0:\n",
    ),
    _raft(
        name="raft/uncommitted-limit",
        breaks="the limit of uncommitted bytes holds nothing back",
        old="if self.uncommitted_bytes + payload > self.uncommitted_bytes_max:",
        new="if payload > self.uncommitted_bytes_max:",
    ),
    _raw_node(
        name="raft/must-sync",
        breaks="entries are handed out as if they could wait",
        old="            must_sync=bool(entries)\n            or hard_state.term",
        new="            must_sync=hard_state.term",
    ),
    _raw_node(
        name="raft/must-sync-vote",
        breaks="a vote is handed out as if it could wait",
        old="            or hard_state.term != known.term\n"
        "            or hard_state.vote != known.vote,\n",
        new="",
    ),
    _log(
        name="raft/commit-goes-back",
        breaks="the commit index can fall",
        old="        if index <= self.committed:\n            return\n"
        "        if index > self",
        new="        if index > self",
    ),
    _log(
        name="raft/commit-of-old-term",
        breaks="an entry of an earlier term is committed by counting",
        old="at.index <= self.committed or not self.match_term(at):",
        new="at.index <= self.committed:",
    ),
    _log(
        name="raft/replace-committed",
        breaks="a committed entry can be replaced",
        old="        if after < self.committed:\n",
        new="        if after + 1 < self.committed:\n",
    ),
    _log(
        name="raft/apply-limit",
        breaks="more bytes are handed out to be applied than allowed",
        old="budget = self.applying_bytes_max - self.applying_bytes",
        new="budget = self.applying_bytes_max",
    ),
    _storage(
        name="raft/compact-term",
        breaks="the term of the last compacted entry is forgotten",
        old="            Entry(dropped[-1].term, index),\n",
        new="            Entry(0, index),\n",
    ),
    _storage(
        name="raft/compact-one-more",
        breaks="log compaction takes an entry that must stay",
        old="            *self._entries[position + 1 :],\n",
        new="            *self._entries[position + 2 :],\n",
    ),
    _storage(
        name="raft/count-payload",
        breaks="replaced entries still count in the payload",
        old="self._payload_bytes -= payload_bytes(self._entries[position:])",
        new="pass",
    ),
    _unstable(
        name="raft/unstable-kept",
        breaks="the last durable entry stays among the unstable ones",
        old="        count = last.index + 1 - self.offset\n",
        new="        count = max(last.index - self.offset, 0)\n",
    ),
    _unstable(
        name="raft/unstable-term",
        breaks="a report of an old term makes replaced entries durable",
        old="        if term != last.term:\n",
        new="        if term < 0:\n",
    ),
    _unstable(
        name="raft/unstable-count",
        breaks="the payload of unstable entries never falls",
        old="        self.payload_bytes -= payload_bytes(self.entries[:count])\n",
        new="",
    ),
)
