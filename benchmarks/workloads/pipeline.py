"""The way of a put from proposal to applied, without a network.

The real engine, log and backend on disk, and the thread that writes and syncs the
log while the batch before is applied, as the server's driver has it. Requests come
in batches, as they do when clients wait for each other's sync.
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from miniet.clock import SystemClock
from miniet.engine.requests import RequestKind
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from miniet.server.bootstrap import BuiltMember, build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations

TARGETS = ("miniet",)

PUTS = 50_000
BATCH = 50
VALUE_BYTES = 256


class Answers:
    """Counts what was answered, and refuses to count a refusal."""

    def __init__(self) -> None:
        self.count = 0

    def take(self, outcome: object) -> None:
        if isinstance(outcome, RequestError):
            raise outcome
        self.count += 1


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    bodies = [
        rpc_pb2.PutRequest(
            key=b"key-%012d" % number, value=random.randbytes(VALUE_BYTES)
        ).SerializeToString()
        for number in range(PUTS)
    ]
    answers = Answers()
    with _member(directory) as member, ThreadPoolExecutor(1) as executor:
        while not member.engine.is_serving:
            _turn(member, executor)
        started_s, cpu_s = time.perf_counter(), time.process_time()
        for first in range(0, PUTS, BATCH):
            for body in bodies[first : first + BATCH]:
                member.engine.propose(RequestKind.PUT, body, answers.take)
            _turn(member, executor)
        while answers.count < PUTS:
            _turn(member, executor)
        took_s = time.perf_counter() - started_s
        cpu_s = time.process_time() - cpu_s
    return {"puts_per_s": PUTS / took_s, "cpu_us_per_put": cpu_s / PUTS * 1e6}


@contextmanager
def _member(directory: Path) -> Iterator[BuiltMember]:
    config = Config()
    urls = config.client_urls
    member = build_member(
        config, str(directory), urls, SystemClock(), random.Random(1), Durations()
    )
    member.engine.campaign_soon()
    try:
        yield member
    finally:
        member.close()


def _turn(member: BuiltMember, executor: ThreadPoolExecutor) -> None:
    """Carry out one turn of the engine, as `Driver` does."""
    engine, log = member.engine, member.log
    ready = engine.ready()
    if ready is None:
        return
    log.append(ready.hard_state, ready.entries)
    if not ready.must_sync:
        engine.apply(ready)
    else:
        durable = executor.submit(log.flush, True)
        engine.apply(ready)
        durable.result()
    engine.persisted(ready)
