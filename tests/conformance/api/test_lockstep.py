"""Random commands to miniet and a real etcd side by side: the answers are equal.

`MINIET_LOCKSTEP_SEQUENCES` sets how many, `MINIET_LOCKSTEP_SEED` where they begin;
`python -m tests.conformance.api.lockstep --seconds 600` runs for a time instead.
"""

import os
import re

import pytest

from tests.conformance.api import lockstep
from tests.conformance.api.conftest import NEEDS_ETCD
from tests.conformance.api.sequences import CommandSource
from tests.conformance.api.targets import ETCD, Target
from tests.support.api_client import Refusal

SEQUENCE_COUNT = int(os.environ.get("MINIET_LOCKSTEP_SEQUENCES", "20"))
FIRST_SEED = int(os.environ.get("MINIET_LOCKSTEP_SEED", "1"))

pytestmark = NEEDS_ETCD


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEQUENCE_COUNT))
def test_servers_answer_alike(seed: int) -> None:
    lockstep.run_sequence(seed)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 3))
def test_servers_know_the_same_after_a_restart(seed: int) -> None:
    lockstep.run_and_restart(seed)


def test_commands_come_again_with_their_seed() -> None:
    def drawn() -> list[str]:
        source = CommandSource(5)
        return [str(source.next(revision)) for revision in range(1, 200)]

    assert drawn() == drawn()


def test_a_difference_names_seed_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = lockstep.outcome

    def with_a_lie(target: Target, command: lockstep.Command) -> object:
        answer = genuine(target, command)
        wrong = target.kind == ETCD and command.name == "Put"
        return Refusal("UNKNOWN", "a lie") if wrong else answer

    monkeypatch.setattr(lockstep, "outcome", with_a_lie)
    with pytest.raises(lockstep.ServersDiffer) as caught:
        lockstep.run_sequence(3)
    assert re.match(r"seed 3, Put\(", str(caught.value))
    assert "a lie" in str(caught.value)
