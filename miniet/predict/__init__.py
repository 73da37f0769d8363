"""What the Go etcd would hold: a model over counts alone.

    Counts ──► live heap per component ──► live heap ──► heap in use ──► RSS
               size classes, slices        sum            GC, spans       mapped pages,
               and maps of Go                                            freed heap kept

Counts mean the same in both languages; Python's bytes do not and are no input.
Every figure is a `Band`: low, likely, high.

    go_sizes      what Go's allocator and containers take
    profiles      the releases, and how they differ
    calibration   constants that were fitted, with their data and residuals
    history       what earlier counts left behind in capacities and stale pairs
    live_heap     counts -> bytes, one function per component
    process       live heap -> heap in use, mapped pages, RSS
    go_model      `GoModel`: all of it, step by step through a process's life
    planned_member, workload   the counts of a load that was only described
"""

from miniet.predict.go_model import GoModel
from miniet.predict.planned_member import PlannedMember
from miniet.predict.prediction import Band, Prediction
from miniet.predict.profiles import PROFILES, Profile, profile_of
from miniet.predict.workload import PlannedStage, Workload

__all__ = [
    "PROFILES",
    "Band",
    "GoModel",
    "PlannedMember",
    "PlannedStage",
    "Prediction",
    "Profile",
    "Workload",
    "profile_of",
]
