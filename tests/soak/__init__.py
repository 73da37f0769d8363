"""A soak: hours of a server's life in minutes, to see what grows and what gets lost.

    python -m tests.soak                          20 minutes
    python -m tests.soak --minutes 5 --seed 3 --out soak

    writers ──puts, deletes, txns, ranges, leases──► miniet serve ◄── keeper: compacts,
       │ acknowledged                                  │     ▲     defragments, saves
       ▼                                               ▼     │
    Ledger ◄── observer: one watcher of all ───── events     └── timeline: captures
       ▲ what is right
       └── followers: watchers that come, read or dawdle, leave and resume

The observer's watcher lives as long as the run. Its events make the *ledger*: what
changed at every revision, without a gap. Against it is held what writers were
acknowledged, in both directions, and every event that a follower got: all changes of
its range, in order, across its resumes. What clients heard and what the captures
say is judged in `checks.py`: counts against bounds computed from the flags, and
what has no bound by its trend over the second half of the run.

Client and server are two processes; the load is paced, so that the figures say
something about time, not about the machine.
"""
