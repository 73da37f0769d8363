"""What the lessor holds and has done, as numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseStatistics:
    """State and totals of a `Lessor`; totals count since it was made."""

    is_primary: bool
    """True while this member keeps the time of all leases."""
    lease_count: int
    """Leases granted and not revoked, expired ones among them."""
    lease_count_max: int
    """The most leases at once since the start or the last reset."""
    keyed_lease_count: int
    """Leases with at least one key attached."""
    attached_key_count: int
    """Keys attached to a lease."""
    attached_key_count_max: int
    """The most attached keys at once since then. Go's maps keep that size."""
    attached_key_bytes: int
    """Sum of the lengths of those keys; each is kept once."""
    heap_element_count: int
    """Elements of the expiry heap: one per lease, and those of revoked leases that
    have not come to its top. 0 while not primary."""
    checkpoint_element_count: int
    """Scheduled checkpoints; a lease may have several. 0 while not primary."""
    granted_total: int
    """Leases granted."""
    revoked_total: int
    """Leases revoked, for whatever reason."""
    renewed_total: int
    """Renewals that succeeded."""
    expired_total: int
    """Leases revoked after their time had run out here; part of `revoked_total`."""
