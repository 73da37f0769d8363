"""The releases of etcd to compare with, and where each answers in its own way.

miniet answers as 3.4. What another release does otherwise is a field here, so that
a comparison leaves out exactly that; `test_differences.py` shows each on the server.
"""

from dataclasses import dataclass

from tests.conformance.api.targets import (
    ETCD,
    ETCD_3_5,
    etcd_3_5_binary,
    etcd_binary,
    etcd_release,
)


@dataclass(frozen=True)
class Release:
    """One release, and what has to be known to compare with it.

    kind: of `targets.running`.
    binary: path of the server.
    stable_sort_max: results that a range may have for equals to keep their order
        when it is sorted. The library of the Go release behind it decides.
    alarm_has_header: whether the answer to an alarm call has a header.
    keeps_negative_leases: whether a lease whose id is below zero is still there
        after a restart.
    """

    kind: str
    binary: str
    stable_sort_max: int = 12
    alarm_has_header: bool = False
    keeps_negative_leases: bool = True


def release_of(binary: str) -> Release:
    """Describe the release of this etcd.

    Raises:
        ValueError: it is none that miniet has been compared with.
    """
    version = etcd_release(binary)
    if version.startswith("3.4."):
        return Release(ETCD, binary)
    if version.startswith("3.5."):
        return Release(
            ETCD_3_5,
            binary,
            stable_sort_max=6,
            alarm_has_header=True,
            keeps_negative_leases=False,
        )
    raise ValueError(f"{binary} is etcd {version or 'of no known release'}")


def releases_found() -> list[Release]:
    """Return the releases that this machine has."""
    found = (etcd_binary(), etcd_3_5_binary())
    return [release_of(binary) for binary in found if binary is not None]
