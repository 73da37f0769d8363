import socket

import pytest

from miniet.lab.child import free_ports


def test_ports_are_kept_for_who_asked_and_can_be_listened_on() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        # As whoever looks for a free port next would find it.
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with (
            socket.create_server(("127.0.0.1", port)) as listener,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            accepted, address = listener.accept()
            accepted.close()
            assert address == client.getsockname()


def test_few_ports_are_kept_at_a_time() -> None:
    (first,) = free_ports(1)
    free_ports(64)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
