"""`Limits`: every bound of a connection, in one place."""

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may ask of one connection; etcd's figures where it has any."""

    concurrent_streams_max: int = 2**32 - 1
    """Calls open at once; one more is refused (REFUSED_STREAM), to be tried again."""
    header_list_bytes_max: int = 64 * KIB
    """A call's headers as RFC 9113 counts them, 32 bytes more each; also the bound of
    a header block as sent, with all its CONTINUATION frames."""
    message_bytes_max: int = 1_572_864 + 512 * KIB
    """One request message."""
    received_bytes_max: int = 64 * MIB
    """All messages of a connection that are incomplete or not yet taken."""
    window_bytes: int = 256 * KIB
    """What a client may send on a stream before we give room back."""
    connection_window_bytes: int = 1 * MIB
    """The same over all streams."""
    ping_interval_min_s: float = 5.0
    """A client that pings more often without any other traffic is cut off."""
    ping_strikes_max: int = 2
    """How often it may do so."""
    idle_ping_interval_min_s: float = 7200.0
    """The least interval while no call is open."""
    resets_burst: int = 2_000
    """Calls that a client may reset at once before it is cut off (rapid reset)."""
    resets_per_s: float = 500.0
    """How fast it earns them back."""
    idle_frames_burst: int = 10_000
    """Frames that move no request on: SETTINGS, PRIORITY, empty DATA and the like."""
    idle_frames_per_s: float = 1_000.0
    """How fast a client earns them back."""
    idle_frames_per_message: int = 4
    """How many it earns by each message sent to it, or frame of a long one: it answers
    with a ping, and with room for the stream and for the connection."""
