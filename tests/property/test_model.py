"""The model itself: the worked examples that real servers were seen to agree with."""

from dataclasses import replace

import pytest

from tests.support.model import Model
from tests.support.model_api import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    Put,
    Range,
    Refusal,
    Refused,
    SortOrder,
    SortTarget,
    Txn,
    Watch,
)
from tests.support.retained import retained, retained_counts, retained_names


def delete(model: Model, key: bytes, range_end: bytes = b"") -> int:
    return model.delete_range(DeleteRange(key, range_end)).deleted


def fill(model: Model, *steps: bytes) -> Model:
    """Put each key; `-` before it deletes it."""
    for step in steps:
        if step[:1] == b"-":
            delete(model, step[1:])
        else:
            model.put(Put(step, b"v"))
    return model


def lives_of_k() -> Model:
    """Put at 3.0, put 5.0, deleted 8.0, put 10.0, put 12.1, deleted 15.0."""
    model = fill(Model(), b"x", b"k", b"x", b"k", b"x", b"x", b"-k", b"x", b"k", b"x")
    model.txn(Txn(success=(Put(b"x"), Put(b"k"))))
    return fill(model, b"x", b"x", b"-k", b"x")


def history_of_a_real_server() -> Model:
    model = fill(Model(), b"a", b"b", b"a", b"-b", b"b", b"lk")
    model.txn(Txn(success=(Put(b"c"), Put(b"d"), DeleteRange(b"a"))))
    return fill(model, b"c", b"-c", b"c", b"-d", b"e")


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (2, None),
        (3, (3, 0, 3, 1)),
        (4, (3, 0, 3, 1)),
        (7, (5, 0, 3, 2)),
        (8, None),
        (9, None),
        (11, (10, 0, 10, 1)),
        (14, (12, 1, 10, 2)),
        (15, None),
    ],
)
def test_reader_sees_the_newest_change_up_to_its_revision(
    at: int, found: tuple[int, ...] | None
) -> None:
    pair = lives_of_k().pair(b"k", at)
    seen = pair and (pair.revision, pair.sub, pair.create_revision, pair.version)
    assert seen == found


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (2, "3 5 8t 10 12.1 15t"),
        (4, "3 5 8t 10 12.1 15t"),
        (5, "5 8t 10 12.1 15t"),
        (8, "10 12.1 15t"),
        (9, "10 12.1 15t"),
        (11, "10 12.1 15t"),
        (12, "12.1 15t"),
        (15, ""),
        (16, ""),
    ],
)
def test_compaction_leaves_of_one_key_what_the_table_says(at: int, left: str) -> None:
    model = lives_of_k()
    model.histories = {b"k": model.histories[b"k"]}
    assert " ".join(retained_names(model, at)) == left


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (4, "3 4 5t 6 7 8 8.1 8.2t 9 10t 11 12t 13"),
        (5, "4 6 7 8 8.1 8.2t 9 10t 11 12t 13"),
        (8, "6 7 8 8.1 9 10t 11 12t 13"),
        (10, "6 7 8.1 11 12t 13"),
        (12, "6 7 11 13"),
    ],
)
def test_compaction_leaves_what_a_real_server_left(at: int, left: str) -> None:
    assert " ".join(retained_names(history_of_a_real_server(), at)) == left


def test_counts_are_those_of_the_generations_left() -> None:
    counts = retained_counts(lives_of_k(), 5)
    # k: {5.0, 8.0t} {10.0, 12.1, 15.0t} {}, and x, alive since revision 2.
    assert counts.index_key_count == 2
    assert counts.generation_count == 3 + 1
    assert counts.key_count == 1
    assert len(retained(lives_of_k().histories[b"k"], 5)) == 5
    assert counts.key_bytes == 2


def test_revision_moves_only_when_something_changes() -> None:
    model = fill(Model(), b"a")
    assert model.txn(Txn()).revision == 2
    assert model.delete_range(DeleteRange(b"b")).revision == 2
    answer = model.txn(
        Txn(success=(Range(b"a"), DeleteRange(b"b"), Put(b"a"), DeleteRange(b"b")))
    )
    assert [a.revision for a in answer.answers] == [2, 2, 3, 3]
    assert answer.revision == model.revision == 3


def test_nested_comparison_does_not_see_the_writes_before_it() -> None:
    model = Model()
    exists = Compare(b"a", target=CompareTarget.VERSION, result=CompareResult.GREATER)
    nested = Txn((exists,), (Put(b"b"),), (Put(b"c"),))
    model.txn(Txn(success=(Put(b"a"), nested)))
    assert [pair.key for pair in model.pairs(2)] == [b"a", b"c"]


@pytest.mark.parametrize(
    ("compare", "holds"),
    [
        (Compare(b"z", target=CompareTarget.VALUE, operand=b""), False),
        (Compare(b"z", target=CompareTarget.MOD, operand=0), True),
        (Compare(b"a", b"c", target=CompareTarget.VALUE, operand=b"v"), True),
        (Compare(b"a", b"c", target=CompareTarget.MOD, operand=2), False),
        (Compare(b"x", b"z", target=CompareTarget.VALUE, operand=b"v"), False),
    ],
)
def test_comparison_holds_for_every_pair_or_for_nothing_as_zero(
    compare: Compare, holds: bool
) -> None:
    assert fill(Model(), b"a", b"b").txn(Txn((compare,))).succeeded is holds


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        (Put(b"z", ignore_value=True), Refusal.KEY_NOT_FOUND),
        (Put(b"b", b"1", lease=7), Refusal.LEASE_NOT_FOUND),
        (Range(b"a", revision=4), Refusal.FUTURE_REVISION),
        (Range(b"a", revision=-1), Refusal.COMPACTED),
    ],
)
def test_refused_txn_writes_nothing(step: Put | Range, refusal: Refusal) -> None:
    model = fill(Model(), b"a", b"b")
    model.compact(2)
    before = model.copy()
    with pytest.raises(Refused) as refused:
        model.txn(Txn(success=(Put(b"a", b"new"), step)))
    assert refused.value.refusal is refusal
    assert model == before


def test_compact_revision_can_be_read_and_not_compacted_again() -> None:
    model = fill(Model(), b"a", b"a", b"a")
    model.compact(3)
    assert model.range(Range(b"a", revision=3)).pairs[0].version == 2
    for refused, call in (
        (Refusal.COMPACTED, lambda: model.range(Range(b"a", revision=2))),
        (Refusal.COMPACTED, lambda: model.compact(3)),
        (Refusal.FUTURE_REVISION, lambda: model.compact(5)),
        (Refusal.COMPACTED, lambda: model.events(Watch(b"a", start_revision=2))),
    ):
        with pytest.raises(Refused) as error:
            call()
        assert error.value.refusal is refused


def test_count_is_of_all_keys_whatever_limit_and_filters() -> None:
    model = fill(Model(), b"a", b"b", b"c")
    everything = Range(b"\x00", b"\x00")
    limited = model.range(replace(everything, limit=2))
    assert (len(limited.pairs), limited.count, limited.more) == (2, 3, True)
    filtered = model.range(replace(everything, min_mod_revision=4))
    assert (len(filtered.pairs), filtered.count, filtered.more) == (1, 3, False)
    counted = model.range(replace(everything, limit=1, count_only=True))
    assert (counted.pairs, counted.count, counted.more) == ([], 3, False)


def test_target_without_order_sorts_only_the_first_keys() -> None:
    model = fill(Model(), b"d", b"c", b"b", b"a")
    query = Range(b"\x00", b"\x00", limit=2, sort_target=SortTarget.MOD)
    assert [p.key for p in model.range(query).pairs] == [b"c", b"b"]
    query = replace(query, sort_order=SortOrder.ASCEND)
    assert [p.key for p in model.range(query).pairs] == [b"d", b"c"]


def test_put_without_a_lease_frees_the_key_and_revoke_deletes_the_rest() -> None:
    model = Model()
    assert model.grant(7, 0) == 2
    for key in (b"b", b"a", b"c"):
        model.put(Put(key, b"v", lease=7))
    model.put(Put(b"c", b"v"))
    model.put(Put(b"b", b"w", ignore_lease=True))
    assert model.revoke(7) == [b"a", b"b"]
    assert [(c.key, c.revision, c.sub) for c in model.changes()[-2:]] == [
        (b"a", 7, 0),
        (b"b", 7, 1),
    ]
    assert [pair.key for pair in model.pairs(model.revision)] == [b"c"]


def test_lease_runs_on_the_primary_only_and_anew_from_each_promotion() -> None:
    model = Model()
    model.grant(7, 10)
    model.now_s = 100.0
    assert not model.expired()
    model.promote(1.0)
    model.checkpoint(7, 4)
    model.now_s = 110.9
    assert not model.expired()
    assert model.renew(7) == 10
    model.now_s += 4
    assert model.expired() == {7}
    with pytest.raises(Refused):
        model.renew(7)
    model.demote()
    assert not model.expired()


def test_watcher_hears_what_it_asked_for_from_its_start_on() -> None:
    model = fill(Model(), b"a", b"b", b"-a", b"a")
    heard = model.events(Watch(b"a", b"b", start_revision=3))
    assert [(c.revision, c.is_deletion) for c in heard] == [(4, True), (5, False)]
    assert model.events(Watch(b"a", start_revision=3, no_put=True)) == heard[:1]
    model.compact(4)
    assert model.may_be_missed(heard[0])
