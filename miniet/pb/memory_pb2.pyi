from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CaptureRequest(_message.Message):
    __slots__ = ("label", "reset_peak")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RESET_PEAK_FIELD_NUMBER: _ClassVar[int]
    label: str
    reset_peak: bool
    def __init__(self, label: _Optional[str] = ..., reset_peak: bool = ...) -> None: ...

class CaptureResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: _Optional[bytes] = ...) -> None: ...

class SetTracingRequest(_message.Message):
    __slots__ = ("on", "frame_count")
    ON_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    on: bool
    frame_count: int
    def __init__(self, on: bool = ..., frame_count: _Optional[int] = ...) -> None: ...

class SetTracingResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
