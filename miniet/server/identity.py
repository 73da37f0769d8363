"""Who a member is: its id and its cluster's."""

from collections.abc import Iterable
from hashlib import sha1


def member_id(peer_urls: Iterable[str], token: str) -> int:
    """Compute the id of an initial member.

    Args:
        peer_urls: the URLs it advertises to its peers, in any order.
        token: the cluster's token.
    Returns:
        An unsigned 64-bit number, written in hex where people see it.
    """
    return _first_8_bytes("".join(sorted(peer_urls)).encode() + token.encode())


def cluster_id(member_ids: Iterable[int]) -> int:
    """Compute the id of the cluster whose initial members are these, in any order."""
    return _first_8_bytes(b"".join(i.to_bytes(8, "big") for i in sorted(member_ids)))


def _first_8_bytes(data: bytes) -> int:
    return int.from_bytes(sha1(data, usedforsecurity=False).digest()[:8], "big")
