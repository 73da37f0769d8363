"""What verdicts ask of the figures of a variant."""

from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.releases import CATCHUP_ENTRIES, RELEASES
from miniet.report.run import Stage, Variant


def has_stage(variant: Variant, name: str) -> bool:
    """Whether a variant came to a stage."""
    return any(stage.name == name for stage in variant.stages)


def stage_of(variant: Variant, name: str) -> Stage:
    """Return a stage by its name.

    Raises:
        KeyError: the variant did not come to it.
    """
    for stage in variant.stages:
        if stage.name == name:
            return stage
    raise KeyError(name)


def counts_of(variant: Variant, name: str) -> Counts:
    """Return what was held at a stage."""
    return stage_of(variant, name).capture.counts


def snapshot_count(capture: Capture) -> int:
    """Return the --snapshot-count in force, the release's default if not known."""
    default = RELEASES[capture.profile].snapshot_count
    return _flag(capture, "snapshot-count", default)


def catchup_entries(capture: Capture) -> int:
    """Return the entries that a snapshot leaves in the log."""
    return _flag(capture, "snapshot-catchup-entries", CATCHUP_ENTRIES)


def _flag(capture: Capture, name: str, default: int) -> int:
    text = capture.flags.get(name) or capture.flags.get(f"experimental-{name}", "")
    return int(text) if text.isdecimal() else default
