"""`leases`: what a lease and an attached key cost, and what revoking gives back.

What it shows beyond the article: Go's maps never shrink, so a lessor that once had
many leases keeps the room for them until it is restarted.
"""

from collections.abc import Iterator, Sequence

from miniet.lab.costs import Cost, cost_of, cost_table, untraced
from miniet.lab.figures import counts_of
from miniet.lab.machine import GIB, Need
from miniet.lab.runner import Findings, Lab
from miniet.lab.subject import Subject
from miniet.lab.target import Setup
from miniet.memory.components import Component
from miniet.report.run import Table, Variant
from miniet.report.units import counted, number

NAME = "leases"
QUESTION = (
    "What do a lease and a key attached to it cost, and what does revoking them give "
    "back?"
)
DISTURBS = "compacts all history"

LEASES = 2_000
KEYS_EACH = (1, 10)
TTL_S = 3600
"""What a broken-off run leaves on somebody's server ends by itself."""

_KEY_LENGTH = 24


def need(scale: float) -> Need:
    """Keys and leases take some KiB each in a traced server."""
    return Need(
        memory_bytes=round(0.3 * GIB + 0.4 * GIB * scale),
        disk_bytes=round(0.2 * GIB + 0.1 * GIB * scale),
    )


def run(lab: Lab) -> None:
    count = lab.scaled(LEASES, 10)
    # Python's bytes are what nobody can tell from counts.
    setups = {_name(each): each for each in KEYS_EACH}
    for subject in lab.subjects([Setup(name, is_traced=True) for name in setups]):
        _grant_and_revoke(subject, count, setups[subject.name])


def _name(keys_each: int) -> str:
    return f"{counted(keys_each, 'key')} per lease"


def _grant_and_revoke(subject: Subject, count: int, keys_each: int) -> None:
    key_count = count * keys_each
    width = max(_KEY_LENGTH - len(subject.key("")), 8)
    keys = [subject.key(f"{n:0{width}d}") for n in range(key_count)]
    before = subject.client.put(subject.key("before"))
    known = _known(0, 0, b"")
    subject.stage("started", collect=True, known=known)
    ids = (0 for _ in subject.each(range(count), "granting"))
    leases = subject.client.grant_all(TTL_S, ids)
    known = _known(count, 0, b"")
    subject.stage("granted", collect=True, known=known)
    subject.client.attach_all(
        (
            leases[n],
            [(key, b"") for key in keys[n * keys_each : (n + 1) * keys_each]],
        )
        for n in subject.each(range(count), "attaching")
    )
    subject.rest(before)
    known = _known(count, key_count, keys[0])
    subject.stage("attached", collect=True, known=known)
    subject.client.revoke_all(leases[n] for n in subject.each(range(count), "revoking"))
    subject.compact()
    subject.stage("revoked", collect=True, known=_revoked(known))


def _known(count: int, key_count: int, key: bytes) -> dict[str, int]:
    """Tell what a real etcd does not, and this load implies."""
    return {
        "lease_count_max": count,
        "lease_heap_element_count": count,
        "keyed_lease_count": count if key_count else 0,
        "attached_key_count": key_count,
        "attached_key_count_max": key_count,
        "attached_key_bytes": key_count * len(key),
        "index_key_bytes": key_count * len(key),
    }


def _revoked(known: dict[str, int]) -> dict[str, int]:
    """Tell the same once all are gone: what was the most stays, the heap too."""
    stays = ("lease_count_max", "attached_key_count_max", "lease_heap_element_count")
    return {name: known[name] if name in stays else 0 for name in known}


def explain(variants: Sequence[Variant]) -> Findings:
    """Say what leases and their keys cost, and what is left of them."""
    granted = [_of_lease(variant, "granted") for variant in variants]
    verdict = [f"A lease takes {granted[0]}."] if granted else []
    for variant in variants:
        verdict += _of_keys(variant)
    for variant in variants:
        verdict += _of_revoking(variant)
    return Findings(
        verdict=verdict, tables=[_table(variants)], not_shown=untraced(granted)
    )


def _of_keys(variant: Variant) -> Iterator[str]:
    keys = _key_count(variant)
    if keys:
        yield (
            f"With {variant.name}, an attached key takes {_of_key(variant)}, besides "
            "what the index and the backend keep of it."
        )


def _of_revoking(variant: Variant) -> Iterator[str]:
    left = counts_of(variant, "revoked")
    before = counts_of(variant, "started")
    if left.lease_count > before.lease_count:
        yield f"{counted(left.lease_count, 'lease')} were left after revoking."
        return
    kept = _of_lease(variant, "revoked")
    queued = counted(left.lease_heap_element_count, "revoked lease")
    reasons = []
    if (kept.predicted or 0) > 0:
        reasons.append("Go's maps never shrink")
    if left.lease_heap_element_count:
        reasons.append(f"{queued} wait in the expiry queue until their time has come")
    yield (
        f"With {variant.name}, revoking all {number(_lease_count(variant))} leases "
        f"leaves, of each, {kept}{': ' if reasons else ''}{', and '.join(reasons)}."
    )


def _of_lease(variant: Variant, name: str) -> Cost:
    """Return what is held per lease at a stage."""
    return _cost(variant, name, "started", _lease_count(variant))


def _of_key(variant: Variant) -> Cost:
    """Return what attaching took per key."""
    return _cost(variant, "attached", "granted", _key_count(variant))


def _cost(variant: Variant, name: str, since: str, count: int) -> Cost:
    whole = cost_of(variant, "attached", [Component.LEASE])
    cost = cost_of(variant, name, [Component.LEASE], since=since)
    return cost.measured_within(whole).per(count)


def _lease_count(variant: Variant) -> int:
    granted, started = (counts_of(variant, name) for name in ("granted", "started"))
    return granted.lease_count - started.lease_count


def _key_count(variant: Variant) -> int:
    attached, granted = (counts_of(variant, name) for name in ("attached", "granted"))
    return attached.attached_key_count - granted.attached_key_count


def _table(variants: Sequence[Variant]) -> Table:
    rows = []
    for variant in variants:
        rows += [
            (variant.name, "per lease granted", _of_lease(variant, "granted")),
            (variant.name, "per key attached", _of_key(variant)),
            (variant.name, "left per lease revoked", _of_lease(variant, "revoked")),
        ]
    return cost_table("The lessor, bytes", ("load", "what"), rows)
