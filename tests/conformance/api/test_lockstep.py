"""Random commands to miniet and real etcds side by side: the answers are equal.

`MINIET_LOCKSTEP_SEQUENCES` sets how many, `MINIET_LOCKSTEP_SEED` where they begin;
`python -m tests.conformance.api.lockstep --seconds 600` runs for a time instead.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.conformance.api import lockstep
from tests.conformance.api.commands import Command, parse_script
from tests.conformance.api.conftest import EVERY_ETCD, NEEDS_ETCD
from tests.conformance.api.examples import EXAMPLES, Example
from tests.conformance.api.pair import Pair, ServersDiffer
from tests.conformance.api.releases import Release, release_of
from tests.conformance.api.sequences import CommandSource, Known
from tests.conformance.api.shrinking import shrink
from tests.conformance.api.targets import MINIET, MINIET_ON_DISK, Target, etcd_binary

SEQUENCE_COUNT = int(os.environ.get("MINIET_LOCKSTEP_SEQUENCES", "4"))
# With one in which both are restarted.
FIRST_SEED = int(os.environ.get("MINIET_LOCKSTEP_SEED", "15"))


def needs_etcd(test: Callable[..., None]) -> Callable[..., None]:
    for mark in NEEDS_ETCD:
        test = mark(test)
    return test


ANY_RELEASE = Release("any", "no binary")


@pytest.mark.parametrize("binary", EVERY_ETCD)
def test_servers_answer_alike(binary: str) -> None:
    for seeds in lockstep.blocks_of(FIRST_SEED, SEQUENCE_COUNT):
        outcome = lockstep.run_block(lockstep.Block(release_of(binary), seeds))
        assert not outcome.difference, f"{outcome.difference}\n{outcome.again()}"
        assert outcome.counts.sequences == len(seeds)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.claim)
@pytest.mark.parametrize("binary", EVERY_ETCD)
def test_example(binary: str, example: Example) -> None:
    restarts = any(command.name == "Restart" for command in example.commands)
    miniet = MINIET_ON_DISK if restarts else MINIET
    assert lockstep.run_script(release_of(binary), example.commands, miniet) == ""


# What is compared: one server is told something behind the other's back.


def _put(target: Target) -> None:
    target.call("Put", key=b"other")


def _grant(target: Target) -> None:
    target.call("LeaseGrant", ID=3, TTL=900)


def _attach(target: Target) -> None:
    # As the last command did, and yet not the same pair.
    target.call("DeleteRange", key=b"a")
    target.call("Put", key=b"a", value=b"1", lease=1)


def _renounce(target: Target) -> None:
    target.call("LeaseRevoke", ID=1)


def _alarm(target: Target) -> None:
    target.call("Alarm", action="ACTIVATE", memberID=5, alarm="NOSPACE")


def _compact(target: Target) -> None:
    target.call("Compact", revision=2, physical=True)


def _propose_in_vain(target: Target) -> None:
    target.refusal("LeaseRevoke", ID=12345)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Pair(release_of(etcd_binary() or ""), MINIET_ON_DISK, tmp_path) as each:
        yield each


@pytest.mark.parametrize(
    "act",
    [_put, _grant, _attach, _renounce, _alarm, _compact, _propose_in_vain],
    ids=lambda act: act.__name__.strip("_"),
)
@needs_etcd
def test_what_one_server_alone_has_done_is_seen(
    pair: Pair, act: Callable[[Target], None]
) -> None:
    pair.begin()
    for command in parse_script(
        """
        LeaseGrant ID: 1 TTL: 1500
        Put key: "a" value: "1" lease: 1
        Watch@0 create_request { key: "a" }
        """
    ):
        pair.do(command)
    act(pair.targets[1])
    with pytest.raises(ServersDiffer):
        pair.end()


@needs_etcd
def test_event_that_one_watcher_alone_was_told_is_seen(pair: Pair) -> None:
    pair.begin()
    # Revision by revision the stores are the same but for the order of two puts.
    for command in parse_script('Watch@0 create_request { key: "a" range_end: "c" }'):
        pair.do(command)
    for target, keys in zip(pair.targets, (b"ab", b"ba"), strict=True):
        for key in keys:
            target.call("Put", key=bytes([key]))
    with pytest.raises(ServersDiffer, match="answered to:\nwatcher 0 of stream 0"):
        pair.end()


@needs_etcd
def test_difference_names_seed_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Pair.do

    def with_a_secret(pair: Pair, command: Command) -> None:
        if len(pair.done) == 7:
            pair.targets[1].call("Put", key=b"secret")
        genuine(pair, command)

    monkeypatch.setattr(Pair, "do", with_a_secret)
    release = release_of(etcd_binary() or "")
    outcome = lockstep.run_block(lockstep.Block(release, range(41, 44)))
    assert (outcome.seed, outcome.counts.sequences) == (41, 1)
    assert len(outcome.commands) >= 7
    assert outcome.difference.startswith("--- miniet-on-disk:\n")
    assert outcome.again(41).endswith("--seed 41 --sequences 1")


# Commands


def _drawn(seed: int, count: int = 400) -> list[Command]:
    source = CommandSource(seed, ANY_RELEASE, restarts=False)
    return [source.next(Known(revision=at)) for at in range(1, count + 1)]


def test_commands_come_again_with_their_seed() -> None:
    assert _drawn(5) == _drawn(5)
    assert _drawn(5) != _drawn(6)


def test_sequence_is_the_same_whatever_came_before_it() -> None:
    def kinds(first_revision: int) -> list[str]:
        source = CommandSource(9, ANY_RELEASE, restarts=False)
        known = Known(first_revision, compact_revision=first_revision)
        names = []
        for known.revision in range(first_revision, first_revision + 300):
            names.append(source.next(known).name)
        return names

    assert kinds(40) == kinds(4_000)


def test_command_is_read_back_from_its_text() -> None:
    drawn = _drawn(7)
    assert {each.name for each in drawn} > {"Txn", "Watch", "CloseStream", "Alarm"}
    assert parse_script("\n".join(map(str, drawn))) == drawn


def test_blocks_end_where_others_begin() -> None:
    assert list(lockstep.blocks_of(15, 30)) == [
        range(15, 20),
        range(20, 40),
        range(40, 45),
    ]


def test_shrinking_finds_the_commands_that_matter() -> None:
    drawn = _drawn(3, 60)
    wanted = [drawn[8], drawn[41]]
    tried = []

    def fails(script: object) -> bool:
        assert isinstance(script, list)
        tried.append(script)
        return all(any(each is one for one in script) for each in wanted)

    assert shrink(drawn, fails) == wanted
    assert len(tried) < 60


def test_shrinking_says_that_nothing_fails() -> None:
    assert shrink(list(islice(_drawn(3), 5)), lambda script: False) is None
