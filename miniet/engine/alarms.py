"""Alarms that are up: a set of (member, kind), kept in the backend."""

from typing import Final

from miniet.engine.ports import EngineBackend
from miniet.engine.requests import AlarmAction, AlarmRequest, AlarmType
from miniet.errors import DataError
from miniet.protowire import fields, signed64, varint

ALARM_BUCKET: Final = b"alarm"


class Alarms:
    """The alarm set; changed only by applying a request.

    Memory: a pair of ints per alarm, a handful in all.
    """

    def __init__(self, backend: EngineBackend) -> None:
        self._backend = backend
        # Invariant: equal to the keys of the alarm bucket; in order of raising.
        self._active: dict[tuple[int, int], None] = {}
        # Invariant: the kinds in `_active`; every write asks for them twice.
        self._kinds: frozenset[int] = frozenset()

    def restore(self) -> None:
        """Read the set back at start.

        Raises:
            DataError: the bucket holds something else.
        """
        try:
            self._active = {
                _decode(key): None
                for key, _ in self._backend.batch_tx.range(ALARM_BUCKET, b"")
            }
        except ValueError as error:
            raise DataError(f"bucket of alarms: {error}") from error
        self._kinds = frozenset(kind for _, kind in self._active)

    def apply(self, request: AlarmRequest) -> list[tuple[int, int]]:
        """Carry out a request and return the alarms that it is about.

        A member id is not checked against the members, as in etcd. Raising
        or lifting kind NONE does nothing.
        """
        if request.action == AlarmAction.GET:
            return self.matching(request.alarm)
        if request.alarm == AlarmType.NONE:
            return []
        changed = self._change(request, (request.member_id, request.alarm))
        self._kinds = frozenset(kind for _, kind in self._active)
        return changed

    def _change(
        self, request: AlarmRequest, alarm: tuple[int, int]
    ) -> list[tuple[int, int]]:
        if request.action == AlarmAction.ACTIVATE:
            if alarm not in self._active:
                self._active[alarm] = None
                self._backend.batch_tx.put(ALARM_BUCKET, _encode(alarm), b"")
            return [alarm]
        if request.action == AlarmAction.DEACTIVATE and alarm in self._active:
            del self._active[alarm]
            self._backend.batch_tx.delete(ALARM_BUCKET, _encode(alarm))
            return [alarm]
        return []

    def matching(self, kind: int) -> list[tuple[int, int]]:
        """Return the alarms of a kind, all of them for NONE."""
        return [alarm for alarm in self._active if kind in (AlarmType.NONE, alarm[1])]

    def is_up(self, kind: AlarmType) -> bool:
        """Tell whether any member has raised this kind."""
        return kind in self._kinds


def _encode(alarm: tuple[int, int]) -> bytes:
    """Encode `etcdserverpb.AlarmMember` {memberID = 1, alarm = 2}, zeros absent."""
    member_id, kind = alarm
    head = b"\x08" + varint(member_id) if member_id else b""
    return head + (b"\x10" + varint(kind) if kind else b"")


def _decode(key: memoryview) -> tuple[int, int]:
    values = dict(fields(key))
    member_id, kind = values.get(1, 0), values.get(2, 0)
    if not isinstance(member_id, int) or not isinstance(kind, int):
        raise ValueError(f"not an alarm: {bytes(key)!r}")
    # An enum is signed on the wire, and numbers outside it are kept.
    return member_id, signed64(kind)
