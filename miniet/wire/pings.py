"""`PingPolicy`: how often a client may ping, as etcd's servers enforce it.

Source: google.golang.org/grpc v1.29 internal/transport/http2_server.go, handlePing.
"""

from miniet.wire.limits import Limits


class PingPolicy:
    """Counts pings that come too early ("strikes")."""

    __slots__ = ("_last_s", "_limits", "_strikes", "has_sent")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last_s: float | None = None
        self._strikes = 0
        self.has_sent = False
        """Whether something was sent: then the next ping is welcome when it comes."""

    def admits(self, now_s: float, *, has_streams: bool) -> bool:
        """Take a ping; False if the client has pinged too often by now."""
        last_s, self._last_s = self._last_s, now_s
        if self.has_sent:
            self.has_sent = False
            self._strikes = 0
            return True
        limits = self._limits
        interval_s = (
            limits.ping_interval_min_s
            if has_streams
            else limits.idle_ping_interval_min_s
        )
        if last_s is not None and now_s < last_s + interval_s:
            self._strikes += 1
        return self._strikes <= limits.ping_strikes_max
