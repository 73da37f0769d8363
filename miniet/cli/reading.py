"""Reading a server for a command: its capture, and what a Go etcd would hold."""

from typing import NoReturn

import click

from miniet.client import ClientError, read_capture
from miniet.client.endpoint import Endpoint
from miniet.memory.capture import Capture
from miniet.predict import GoModel, Prediction, profile_of

endpoint_argument = click.argument("endpoint", metavar="ENDPOINT")
pid_option = click.option(
    "--pid",
    type=click.IntRange(min=1),
    metavar="N",
    help="Process of a real etcd on this machine, to see its flags and its memory.",
)


class Reader:
    """Reads one server, again and again; the prediction follows its life."""

    def __init__(self, endpoint: str, pid: int | None = None) -> None:
        self._endpoint = endpoint
        self._pid = pid
        self._model: GoModel | None = None
        self._before: Capture | None = None

    @property
    def address(self) -> str:
        """Host and port, as etcdctl takes them."""
        return Endpoint.parse(self._endpoint).address

    def read(self, label: str = "") -> tuple[Capture, Prediction]:
        """Take a capture, or exit with status 2 and a line that says why not."""
        try:
            return self.try_read(label)
        except ClientError as error:
            give_up(error)

    def try_read(self, label: str = "") -> tuple[Capture, Prediction]:
        """Take a capture.

        Raises:
            ClientError: there is no answer.
        """
        capture = read_capture(self._endpoint, pid=self._pid, label=label)
        before, self._before = self._before, capture
        if self._model is None or before is None or _is_another(capture, before):
            profile = profile_of(capture.profile)
            self._model, before = GoModel.of_flags(profile, capture.flags), None
        idle_s = 0.0
        if before and before.counts.raft_last_index == capture.counts.raft_last_index:
            idle_s = max(0.0, capture.time_s - before.time_s)
        return capture, self._model.step(capture.counts, idle_s=idle_s)


def _is_another(capture: Capture, before: Capture) -> bool:
    """Tell whether the server was started anew, as far as its counts tell."""
    return (
        capture.product != before.product
        or capture.counts.put_total < before.counts.put_total
    )


def give_up(error: Exception) -> NoReturn:
    """Say what is wrong in a line, and exit with status 2."""
    said = str(error)
    if isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: {error.strerror}"
    click.echo(f"miniet: {said}", err=True)
    raise SystemExit(2)
