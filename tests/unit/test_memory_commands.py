import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from miniet.cli import main
from tests.unit.report import records

MIB = 1 << 20


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def nobody() -> str:
    """An endpoint at which no server listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    "words",
    [["doctor"], ["memory"], ["memory", "--watch"], ["memory", "--trace=on"]],
    ids=" ".join,
)
def test_server_that_does_not_answer_is_told_in_a_line(
    words: list[str], nobody: str
) -> None:
    command, *options = words
    result = invoke(command, nobody, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    reason = "Failed to connect to remote host: Connection refused"
    assert result.stderr == f"miniet: cannot reach {nobody}: {reason}\n"


def test_server_of_another_kind_is_told_from_none() -> None:
    def greet(listener: socket.socket) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = listener.accept()
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        thread = Thread(target=greet, args=(listener,))
        thread.start()
        result = invoke("memory", address)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert result.exit_code == 2
    assert result.stderr == f"miniet: {address} does not speak gRPC, as etcd does\n"


def test_capture_of_nobody_leaves_no_file(nobody: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert invoke("memory", "capture", nobody, str(path)).exit_code == 2
    assert not path.exists()


@pytest.mark.parametrize("endpoint", ["https://localhost:2379", "localhost:port", ""])
def test_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    result = invoke("doctor", endpoint)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_diff_shows_what_grew_between_two_files(tmp_path: Path) -> None:
    started, loaded = records.run().variants[0].stages[:2]
    started.capture.save(tmp_path / "a.json")
    loaded.capture.save(tmp_path / "b.json")
    result = invoke(
        "memory", "diff", str(tmp_path / "a.json"), str(tmp_path / "b.json")
    )
    assert result.exit_code == 0
    assert "raft_payload_bytes" in result.stdout
    assert "+1000.0 MiB" in result.stdout


@pytest.mark.parametrize("content", [None, "{", "{}", '{"format": "miniet capture"}'])
def test_diff_of_what_is_no_capture_is_refused_in_a_line(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    result = invoke("memory", "diff", str(path), str(path))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "a.json" in result.stderr


@pytest.mark.parametrize("seconds", ["often", "0", "nan", "1e9", "localhost:2379"])
def test_watch_refuses_what_is_no_pace(seconds: str) -> None:
    result = invoke("memory", "localhost:2379", "--watch", seconds)
    assert result.exit_code == 2
    assert "Invalid value for '--watch'" in result.stderr


@pytest.mark.parametrize("words", [["memory"], ["memory", "show"], ["doctor"]])
def test_help_keeps_to_80_columns(words: list[str]) -> None:
    result = invoke(*words, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80


def test_capture_of_another_product_is_compared_with_a_note(tmp_path: Path) -> None:
    reading = records.run().variants[0].stages[0].capture
    reading.save(tmp_path / "a.json")
    replace(reading, product="miniet 0.2.0").save(tmp_path / "b.json")
    result = invoke(
        "memory", "diff", str(tmp_path / "a.json"), str(tmp_path / "b.json")
    )
    assert "different products" in result.stdout
