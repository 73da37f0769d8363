"""One call to a server, as a value that can be written down and read back."""

from dataclasses import dataclass
from typing import Self

from google.protobuf import text_format
from google.protobuf.message import Message

from miniet.pb import rpc_pb2

NO_STREAM = -1

_REQUEST_TYPES = {
    "Compact": rpc_pb2.CompactionRequest,
    # Ends a watch stream, together with what still comes on it.
    "CloseStream": rpc_pb2.WatchRequest,
    # From here on watchers of the past are told while other commands are done.
    "DoNotWait": rpc_pb2.StatusRequest,
    # Stops and starts both servers; every watch stream ends.
    "Restart": rpc_pb2.StatusRequest,
}


@dataclass(frozen=True)
class Command:
    """One call: its name in `ApiClient`, and its request.

    Its text is a line such as `Watch@2 create_request { key: "a" }`, where 2 is the
    number of the watch stream; `parse` reads it back.
    """

    name: str
    request: Message
    stream: int = NO_STREAM

    def __str__(self) -> str:
        on = "" if self.stream == NO_STREAM else f"@{self.stream}"
        text = text_format.MessageToString(self.request, as_one_line=True)
        return f"{self.name}{on} {text}".rstrip()

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a command from its text."""
        called, _, text = line.strip().partition(" ")
        name, _, on = called.partition("@")
        request = request_type(name)()
        text_format.Parse(text, request)
        return cls(name, request, int(on) if on else NO_STREAM)


def parse_script(text: str) -> list[Command]:
    """Read one command per line; empty lines are left out."""
    return [Command.parse(line) for line in text.splitlines() if line.strip()]


def request_type(name: str) -> type[Message]:
    """Return the type of the request that a command of this name carries."""
    found: type[Message] = _REQUEST_TYPES.get(name) or getattr(
        rpc_pb2, f"{name}Request"
    )
    return found
