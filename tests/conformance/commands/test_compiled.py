"""A compiled miniet does not trace its memory, and says how it would."""

from pathlib import Path

import pytest

from miniet.client import ClientError, read_capture, set_tracing
from tests.support.served import Served

pytestmark = pytest.mark.compiled

REASON = (
    "miniet runs compiled, and tracemalloc cannot see which compiled line allocates: "
    "start it with MINIET_INTERPRETED=1 to trace memory"
)


def test_a_start_with_tracing_is_refused(tmp_path: Path) -> None:
    said = Served(tmp_path / "data", "--memory-trace").refused()
    assert said.splitlines()[-1].endswith(REASON)


def test_tracing_is_not_switched_on(tmp_path: Path) -> None:
    with Served(tmp_path / "data") as served:
        with pytest.raises(ClientError, match=REASON) as refused:
            set_tracing(served.endpoint, on=True)
        assert refused.value.code == "FAILED_PRECONDITION"
        assert read_capture(served.endpoint).traced is None


@pytest.mark.usefixtures("interpreted")
def test_interpreted_it_traces(tmp_path: Path) -> None:
    with Served(tmp_path / "data", "--memory-trace") as served:
        assert read_capture(served.endpoint).traced is not None
        set_tracing(served.endpoint, on=False)
        assert read_capture(served.endpoint).traced is None
        set_tracing(served.endpoint, on=True)
        assert read_capture(served.endpoint).traced is not None
