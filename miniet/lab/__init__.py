"""The lab: the questions about etcd's memory as experiments that anybody repeats.

    scenario ──► Lab ──► Subject: a server and a client, stage by stage
                  │          │
                  │          ├── target: `miniet serve` as a child process, an etcd
                  │          │   binary as one, or a server that runs already
                  │          └── capture and Go's prediction at every stage
                  └────► Run: variants, tables, verdict, for miniet.report

A *scenario* is one question. A *variant* is the same load under other flags; each has
a fresh server where the target allows it. A *stage* is a moment of a variant with a
name, at which everything is read.

How a scenario is written: a module of `scenarios/` with

    NAME = "raft-log"                        what `miniet lab run` takes
    QUESTION = "How many entries ...?"       one sentence
    DISTURBS = "compacts all history"        what it does to a whole server, or ""

    def need(scale: float) -> Need: ...      memory and disk, to refuse before it hurts

    def run(lab: Lab) -> None:               the load, as plain code
        puts = lab.scaled(1_000)
        for subject in lab.subjects(Setup("default"), Setup("small", "--flag=7")):
            subject.stage("started")
            subject.put_all((subject.key("foo"), value) for value in values)
            subject.stage("loaded")
            subject.compact()
            subject.stage("compacted")

    def explain(variants: Sequence[Variant]) -> Findings: ...
        the verdict, tables and gaps, from the figures alone: a sentence is there only
        if the figures of this run say it. Tested on made-up variants.

and a line in `scenarios/__init__.py`. A setup that the target cannot have (flags of a
server that runs already) is left out and the report says so, so `explain` takes
what variants there are. Everything written has a key that `subject.key` made: on
somebody's server the lab stays below a prefix of its own, and clears it at the end.

Keeps in memory: a capture and a prediction per stage and timeline point, some KiB.
"""

from miniet.lab.errors import LabError
from miniet.lab.runner import Findings, Lab, Options, Scenario, run_scenario
from miniet.lab.subject import Subject
from miniet.lab.target import Setup, Target, target_of

__all__ = [
    "Findings",
    "Lab",
    "LabError",
    "Options",
    "Scenario",
    "Setup",
    "Subject",
    "Target",
    "run_scenario",
    "target_of",
]
