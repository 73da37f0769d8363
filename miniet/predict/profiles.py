"""The etcd releases whose memory the model knows, and how they differ."""

from dataclasses import dataclass

from miniet.predict.go_sizes import GO_1_12, GO_1_16, GO_1_19, GO_1_25, Go
from miniet.releases import RELEASES, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One release of etcd; sizes in bytes, of Go structs on amd64.

    Struct sizes come from a probe compiled against each release's sources.
    """

    name: str
    release: str
    go: Go
    is_measured: bool
    """Whether memory of this very release was measured (`calibration.py`)."""
    entry_bytes: int
    """`raftpb.Entry`: 3.4 has 24 bytes for unknown fields."""
    tree_item_bytes: int
    """Item of a B-tree node: an interface, or from btree's generics a pointer."""
    key_value_bytes: int
    """`mvccpb.KeyValue`."""
    event_bytes: int
    """`mvccpb.Event`."""
    lease_element_bytes: int
    """Element of the expiry heap."""
    watch_channel_slots: int = 128
    """Responses that a watch stream's channel has room for."""

    @property
    def log(self) -> Release:
        """How the release keeps the raft log."""
        return RELEASES[self.name]


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="3.4.9",
            release="3.4.9",
            go=GO_1_12,
            is_measured=False,
            entry_bytes=72,
            tree_item_bytes=16,
            key_value_bytes=80,
            event_bytes=24,
            lease_element_bytes=24,
            watch_channel_slots=1024,
        ),
        Profile(
            name="3.4",
            release="3.4.23",
            go=GO_1_19,
            is_measured=True,
            entry_bytes=72,
            tree_item_bytes=16,
            key_value_bytes=80,
            event_bytes=24,
            lease_element_bytes=24,
        ),
        Profile(
            name="3.5",
            release="3.5.1",
            go=GO_1_16,
            is_measured=True,
            entry_bytes=48,
            tree_item_bytes=16,
            key_value_bytes=112,
            event_bytes=56,
            lease_element_bytes=40,
        ),
        Profile(
            name="3.6",
            release="3.6.14",
            go=GO_1_25,
            is_measured=False,
            entry_bytes=48,
            tree_item_bytes=8,
            key_value_bytes=112,
            event_bytes=56,
            lease_element_bytes=40,
        ),
    )
}
"""By the name that `--profile` takes."""


def profile_of(version: str) -> Profile:
    """Find the profile for a version: `3.4.9`, `3.5`, `3.4.23`, `etcd 3.5.1`.

    Raises:
        ValueError: no profile is for that version.
    """
    number = version.removeprefix("etcd ").removeprefix("v")
    if number in PROFILES:
        return PROFILES[number]
    minor = ".".join(number.split(".")[:2])
    if minor not in PROFILES:
        raise ValueError(f"no profile for {version!r}: use {', '.join(PROFILES)}")
    return PROFILES[minor]
