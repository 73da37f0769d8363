"""What a call that failed says."""

from miniet.errors import MinietError


class ClientError(MinietError):
    """A server did not do what it was asked, or cannot be reached; one line of text.

    Args:
        message: what failed, for a person.
        code: name of the gRPC status, as `UNIMPLEMENTED`; empty where none came.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
