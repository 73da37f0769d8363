"""`python -m tests.conformance.etcdctl.record [SCRIPT...]`: ask a real etcd again.

Needs etcd and etcdctl 3.4 on PATH. Writes what they say into the scripts, to be read
as a diff before it is committed.
"""

import sys
import tempfile
from pathlib import Path

from tests.conformance.etcdctl import servers
from tests.conformance.etcdctl.script import SCRIPTS, Script
from tests.conformance.etcdctl.session import run_steps
from tests.support.binaries import find_binary


def main(names: list[str]) -> None:
    """Record the scripts of these names, or all."""
    etcd, etcdctl = find_binary("etcd", "3.4"), find_binary("etcdctl", "3.4")
    if etcd is None or etcdctl is None:
        raise SystemExit("etcd and etcdctl 3.4 are not on PATH")
    for path in sorted(SCRIPTS.glob("*.txt")):
        if names and path.stem not in names:
            continue
        script = Script.read(path)
        with tempfile.TemporaryDirectory() as directory:
            work = Path(directory)
            with servers.real_etcd(etcd, work / "data", script.flags) as running:
                script.steps = run_steps(
                    script.steps, etcdctl, running, work / "etcdctl"
                )
        path.write_text(script.text(), "utf-8")


main(sys.argv[1:])
