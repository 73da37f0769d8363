"""watch: order, starts, victims, batches, compacted watchers, fragments, prev_kv."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/watch/"

_store = partial(
    Mutation,
    file="miniet/watch/watchable_store.py",
    tests=(_UNIT + "test_watchable_store.py", _UNIT + "test_watch_stream.py"),
)
_watcher = partial(
    Mutation,
    file="miniet/watch/watcher.py",
    tests=(
        _UNIT + "test_watcher.py",
        _UNIT + "test_watchable_store.py",
        _UNIT + "test_watch_stream.py",
    ),
)
_batch = partial(
    Mutation,
    file="miniet/watch/event_batch.py",
    tests=(_UNIT + "test_event_batch.py", _UNIT + "test_catch_up.py"),
)
_stream = partial(
    Mutation,
    file="miniet/watch/watch_stream.py",
    tests=(_UNIT + "test_watch_stream.py",),
)

MUTATIONS = (
    _store(
        name="watch/order",
        breaks="changes of one revision come in the wrong order",
        old="        for event in events:\n            shared",
        new="        for event in reversed(events):\n            shared",
    ),
    _store(
        name="watch/victim-dropped",
        breaks="the batch of a full stream is lost",
        old="                watcher.send(watcher.min_revision - 1, batch)\n",
        new="",
    ),
    _store(
        name="watch/victim-twice",
        breaks="a victim gets its last revision again",
        old="        watcher.min_revision = revision + 1\n",
        new="        watcher.min_revision = revision\n",
    ),
    _store(
        name="watch/victim-misses",
        breaks="a victim misses the revision after its batch",
        old="        watcher.min_revision = revision + 1\n",
        new="        watcher.min_revision = revision + 2\n",
    ),
    _store(
        name="watch/caught-up-early",
        breaks="a watcher with one revision to read counts as up to date",
        old="        if watcher.min_revision > self.current_revision:\n"
        "            self._move(watcher, WatcherChange.CAUGHT_UP)",
        new="        if watcher.min_revision >= self.current_revision:\n"
        "            self._move(watcher, WatcherChange.CAUGHT_UP)",
    ),
    _store(
        name="watch/catch-up-skips",
        breaks="a full batch ends the reading of history for good",
        old="(batch and batch.more_revision) or unread",
        new="unread",
    ),
    _store(
        name="watch/starts-too-late",
        breaks="a watcher without a start misses the next revision",
        old="            watcher.start_revision = self.current_revision + 1\n",
        new="            watcher.start_revision = self.current_revision + 2\n",
    ),
    _store(
        name="watch/prev-kv-revision",
        breaks="prev_kv is the pair after the change",
        old="revision=event.mod_revision - 1)",
        new="revision=event.mod_revision)",
    ),
    _store(
        name="watch/prev-kv-of-creation",
        breaks="prev_kv of a new key is looked for, and found in a former life",
        old="if event.create_revision == event.mod_revision or event.mod_revision < 2:",
        new="if event.mod_revision < 2:",
    ),
    _store(
        name="watch/compacted-answer",
        breaks="a compacted watcher is not told where to go on",
        old="told = watcher.send(0, None, compact_revision=compact_revision)",
        new="told = watcher.send(0, None)",
    ),
    _watcher(
        name="watch/min-revision",
        breaks="a watcher misses the very revision it starts at",
        old="        if event.mod_revision < self.min_revision:\n",
        new="        if event.mod_revision <= self.min_revision:\n",
    ),
    _watcher(
        name="watch/min-revision-ignored",
        breaks="a watcher of the future hears of changes before its start",
        old="        if event.mod_revision < self.min_revision:\n",
        new="        if event.mod_revision < 0:\n",
    ),
    _watcher(
        name="watch/filter",
        breaks="the filters of puts and of deletions are exchanged",
        old="self.no_put if event.type == EventType.PUT else self.no_delete",
        new="self.no_delete if event.type == EventType.PUT else self.no_put",
    ),
    _watcher(
        name="watch/compacted-at-boundary",
        breaks="a watcher cannot start at the compact revision",
        old="self.min_revision < 0 or self.min_revision < compact_revision:",
        new="self.min_revision < 0 or self.min_revision <= compact_revision:",
    ),
    _watcher(
        name="watch/compacted-on-the-way",
        breaks="a slow watcher misses a deletion at the compact revision",
        old="            self.min_revision == compact_revision\n            and",
        new="            self.min_revision == -compact_revision\n            and",
    ),
    _batch(
        name="watch/revision-cut",
        breaks="a full batch ends inside a revision",
        old="        if self.events[-1].mod_revision == revision:\n"
        "            return True\n",
        new="",
    ),
    _batch(
        name="watch/batch-limit",
        breaks="a batch takes one revision too many",
        old="        if self.revision_count < revisions_max:\n",
        new="        if self.revision_count <= revisions_max:\n",
    ),
    _batch(
        name="watch/delete-as-put",
        breaks="a deletion is sent as a put",
        old="kind = _TYPE_DELETE if event.type == EventType.DELETE else b",
        new="kind = _TYPE_DELETE if event.type == -1 else b",
    ),
    Mutation(
        name="watch/fragment-unmarked",
        breaks="the pieces of a response are not marked as such",
        file="miniet/watch/messages.py",
        old="events=self.events[begin:position], fragment=True)",
        new="events=self.events[begin:position])",
        tests=(_UNIT + "test_messages.py", _UNIT + "test_watch_stream.py"),
    ),
    Mutation(
        name="watch/fragment-loses-event",
        breaks="the first event of each further piece is lost",
        file="miniet/watch/messages.py",
        old="                begin, size = position, _ENVELOPE",
        new="                begin, size = position + 1, _ENVELOPE",
        tests=(_UNIT + "test_messages.py", _UNIT + "test_watch_stream.py"),
    ),
    Mutation(
        name="watch/pass-cuts-revision",
        breaks="a pass over history ends inside a revision",
        file="miniet/watch/catch_up.py",
        old="            if event.mod_revision != revision:\n",
        new="            if event.mod_revision >= revision:\n",
        tests=(_UNIT + "test_catch_up.py", _UNIT + "test_watchable_store.py"),
    ),
    _stream(
        name="watch/compacted-not-canceled",
        breaks="a compacted watcher is not told that it has ended",
        old="            canceled=queued.revision == 0,\n",
        new="",
    ),
    _stream(
        name="watch/refused-takes-id",
        breaks="the search for the id of a watcher that is refused leaves a trace",
        old="            watch_id += 1\n        return watch_id\n",
        new="            watch_id += 1\n"
        "        self._next_watch_id = watch_id\n"
        "        return watch_id\n",
    ),
    _stream(
        name="watch/cancel-answer-late",
        breaks="progress is answered for a watcher before its end is",
        old="            self._answer(watch_id, canceled=True)\n"
        "            self._host.remove_watchers((watcher,))\n",
        new="            self._host.remove_watchers((watcher,))\n"
        "            self._answer(watch_id, canceled=True)\n",
    ),
    _stream(
        name="watch/progress-of-unsynced",
        breaks="progress is notified to a watcher that is behind",
        old="if not watcher.had_events and watcher.state is WatcherState.SYNCED:",
        new="if not watcher.had_events:",
    ),
    Mutation(
        name="watch/range-end-inclusive",
        breaks="a watcher of a range hears of the key at its end",
        file="miniet/watch/interval_tree.py",
        old="                if node.end is None or key < node.end:\n",
        new="                if node.end is None or key <= node.end:\n",
        tests=(_UNIT + "test_interval_tree.py", _UNIT + "test_watcher_group.py"),
    ),
    Mutation(
        name="watch/count-sent",
        breaks="events dropped with their stream are counted as sent",
        file="miniet/watch/undelivered.py",
        old="        if sent:\n",
        new="        if sent or batch:\n",
        tests=(_UNIT + "test_outbox.py", _UNIT + "test_watchable_store.py"),
    ),
    Mutation(
        name="watch/count-shared",
        breaks="a batch that leaves for one watcher counts as gone for all",
        file="miniet/watch/undelivered.py",
        old="        batch.holder_count -= count\n",
        new="        batch.holder_count = 0\n",
        tests=(_UNIT + "test_outbox.py",),
    ),
    Mutation(
        name="watch/unlike-together",
        breaks="a watcher gets previous pairs because its neighbour wants them",
        file="miniet/watch/outbox.py",
        old="                and last.prev_kv is prev_kv\n",
        new="",
        tests=(_UNIT + "test_outbox.py",),
    ),
    Mutation(
        name="watch/takes-all-alike",
        breaks="a slow stream is taken more events than it has room for",
        file="miniet/watch/outbox.py",
        old="min(limit, max(1, bytes_max // first.batch.byte_count))",
        new="limit",
        tests=(_UNIT + "test_outbox.py", _UNIT + "test_watch_stream.py"),
    ),
    Mutation(
        name="watch/count-held",
        breaks="an event that waits in two streams is held twice",
        file="miniet/watch/undelivered.py",
        old="            if not event.holder_count:\n"
        "                self.held_event_count += 1",
        new="            if event:\n                self.held_event_count += 1",
        tests=(_UNIT + "test_outbox.py", _UNIT + "test_watchable_store.py"),
    ),
)
