"""What happens when the space quota is reached: refusals, and the alarm."""

from miniet.engine.alarms import Alarms
from miniet.engine.errors import NoSpaceError
from miniet.engine.ports import EngineBackend
from miniet.engine.proposals import Proposals
from miniet.engine.quota import Quota
from miniet.engine.requests import AlarmAction, AlarmRequest, AlarmType
from miniet.engine.waiters import Answer, ignore


class Space:
    """Watches over the quota for one member."""

    def __init__(
        self,
        quota: Quota,
        backend: EngineBackend,
        alarms: Alarms,
        proposals: Proposals,
        member_id: int,
    ) -> None:
        self._quota = quota
        self._backend = backend
        self._alarms = alarms
        self._proposals = proposals
        self._member_id = member_id

    def check(self, cost_bytes: int) -> None:
        """Refuse a write for which there is no space; see `Engine.check_quota`."""
        if cost_bytes and not self._quota.allows(self._backend.size_bytes, cost_bytes):
            # A full disk does not need an entry for each write that is refused.
            if not self._alarms.is_up(AlarmType.NOSPACE):
                self._raise_alarm(ignore)
            raise NoSpaceError

    def answer(self, request_id: int, error: NoSpaceError) -> None:
        """Answer once the alarm is up, so that the next write finds it."""
        if self._alarms.is_up(AlarmType.NOSPACE):
            self._proposals.resolve(request_id, error)
        else:
            self._raise_alarm(lambda _: self._proposals.resolve(request_id, error))

    def _raise_alarm(self, answer: Answer) -> None:
        self._proposals.propose_own(
            AlarmRequest(AlarmAction.ACTIVATE, self._member_id, AlarmType.NOSPACE),
            answer,
        )
