"""TLS on client and metrics URLs, with certificates of a CA made for the test."""

import asyncio
import http.client
import logging
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
import trustme

import miniet
from miniet.pb import rpc_pb2
from tests.embedded.client import Client
from tests.support.binaries import find_binary
from tests.support.http2 import PREFACE, SETTINGS, frame
from tests.support.served import wait_until

HTTPS = ("https://127.0.0.1:0",)


class Files:
    """A CA, with a server's and a client's certificate and key, as files."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.authority = trustme.CA()
        self.ca = str(directory / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.cert, self.key = self.issue("server", "127.0.0.1")
        self.client_cert, self.client_key = self.issue("client", "client.example")

    def issue(self, name: str, identity: str) -> tuple[str, str]:
        """Write certificate and key; returns their paths."""
        issued = self.authority.issue_cert(identity)
        cert, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        issued.private_key_pem.write_to_path(str(key))
        issued.cert_chain_pems[0].write_to_path(str(cert))
        return str(cert), str(key)

    def config(self, **settings: object) -> miniet.Config:
        return miniet.Config(
            **{  # type: ignore[arg-type]
                "listen_client_urls": HTTPS,
                "cert_file": self.cert,
                "key_file": self.key,
                **settings,
            }
        )

    def context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        """Return what a client that trusts the CA connects with."""
        context = ssl.create_default_context(cafile=self.ca)
        if with_certificate:
            context.load_cert_chain(self.client_cert, self.client_key)
        return context

    def channel(self, endpoint: str, *, with_certificate: bool = False) -> grpc.Channel:
        key, cert = (
            (Path(self.client_key).read_bytes(), Path(self.client_cert).read_bytes())
            if with_certificate
            else (None, None)
        )
        return grpc.secure_channel(
            endpoint,
            grpc.ssl_channel_credentials(Path(self.ca).read_bytes(), key, cert),
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


def members(client: Client) -> list[rpc_pb2.Member]:
    path, request = "/etcdserverpb.Cluster/MemberList", rpc_pb2.MemberListRequest()
    return list(client.call(path, request, rpc_pb2.MemberListResponse).members)


def ask(url: str, context: ssl.SSLContext, path: str = "/version") -> int:
    connection = http.client.HTTPSConnection(
        urlsplit(url).netloc, timeout=10, context=context
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_grpc_and_pages_are_served_over_tls(files: Files) -> None:
    with miniet.Server(config=files.config()) as etcd:
        assert etcd.client_urls == (f"https://{etcd.endpoint}",)
        with files.channel(etcd.endpoint) as channel:
            Client(channel).put(b"k", b"v")
            assert Client(channel).get(b"k") == b"v"
            [member] = members(Client(channel))
            assert list(member.clientURLs) == list(etcd.client_urls)
        assert ask(etcd.client_urls[0], files.context()) == 200


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        (["h2"], "h2"),
        (["http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], "http/1.1"),
        ([], None),
    ],
)
def test_client_that_could_speak_both_gets_pages(
    files: Files, offered: list[str], spoken: str | None
) -> None:
    context = files.context()
    if offered:
        context.set_alpn_protocols(offered)
    with (
        miniet.Server(config=files.config()) as etcd,
        socket.create_connection(("127.0.0.1", etcd.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as line,
    ):
        assert line.selected_alpn_protocol() == spoken
        if spoken == "h2":
            line.sendall(PREFACE + frame(SETTINGS))
            assert line.recv(9)[3] == SETTINGS
        else:
            line.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_http_and_https_urls_may_be_mixed(files: Files) -> None:
    urls = ("http://127.0.0.1:0", *HTTPS)
    config = files.config(listen_client_urls=urls, listen_metrics_urls=urls)
    with miniet.Server(config=config) as etcd:
        for plain, secure in (etcd.client_urls, etcd.metrics_urls):
            connection = http.client.HTTPConnection(urlsplit(plain).netloc, timeout=10)
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
            connection.close()
            assert ask(secure, files.context(), "/health") == 200
            assert ask(secure, files.context(), "/metrics") == 200


@pytest.mark.parametrize(
    "setting", ["trusted_ca_file", "trusted_ca_file client_cert_auth"]
)
def test_client_without_a_certificate_is_refused(files: Files, setting: str) -> None:
    settings: dict[str, object] = {"trusted_ca_file": files.ca}
    if "client_cert_auth" in setting:
        settings["client_cert_auth"] = True
    with miniet.Server(config=files.config(**settings)) as etcd:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(etcd.client_urls[0], files.context())
        with files.channel(etcd.endpoint) as channel, pytest.raises(grpc.RpcError):
            Client(channel).put(b"k")
        assert ask(etcd.client_urls[0], files.context(with_certificate=True)) == 200
        with files.channel(etcd.endpoint, with_certificate=True) as channel:
            Client(channel).put(b"k")


def test_without_a_ca_of_its_own_the_system_says_whom_to_trust(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", files.ca)  # read by OpenSSL
    with miniet.Server(config=files.config(client_cert_auth=True)) as etcd:
        assert ask(etcd.client_urls[0], files.context(with_certificate=True)) == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(etcd.client_urls[0], files.context())


def test_certificate_of_another_ca_is_refused(files: Files, tmp_path: Path) -> None:
    others = Files(tmp_path / "others")
    context = files.context()
    context.load_cert_chain(others.client_cert, others.client_key)
    for settings in ({"trusted_ca_file": files.ca}, {"client_cert_auth": True}):
        with (
            miniet.Server(config=files.config(**settings)) as etcd,
            pytest.raises((OSError, http.client.HTTPException)),
        ):
            ask(etcd.client_urls[0], context)


def test_plain_text_is_refused_with_a_word_in_the_log(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        miniet.Server(config=files.config()) as etcd,
        socket.create_connection(("127.0.0.1", etcd.port), timeout=10) as line,
    ):
        line.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in line.recv(1000)
        assert ask(etcd.client_urls[0], files.context()) == 200
    [record] = caplog.records
    assert record.getMessage().startswith("rejected connection client=('127.0.0.1', ")


def test_handshake_that_does_not_end_ends_with_the_server(files: Files) -> None:
    with miniet.Server(config=files.config()) as etcd:
        silent = [
            socket.create_connection(("127.0.0.1", etcd.port), timeout=10)
            for _ in range(3)
        ]
        silent[1].sendall(b"\x16\x03\x01")
        assert ask(etcd.client_urls[0], files.context()) == 200
    for line in silent:
        with line:
            assert line.recv(1) == b""


def test_loop_of_asyncio_itself_does_as_well(files: Files) -> None:
    async def scene() -> None:
        config = files.config(trusted_ca_file=files.ca)
        async with miniet.AsyncServer(config=config) as etcd:
            certified = files.context(with_certificate=True)
            [url] = etcd.client_urls
            assert await asyncio.to_thread(ask, url, certified) == 200
            with pytest.raises((OSError, http.client.HTTPException)):
                await asyncio.to_thread(ask, url, files.context())
            silent = socket.create_connection(("127.0.0.1", etcd.port), timeout=10)
            assert await asyncio.to_thread(ask, url, certified) == 200
        with silent:
            assert silent.recv(1) == b""

    asyncio.run(scene())


def test_nothing_is_left_open_by_what_was_refused(files: Files) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with miniet.Server(config=files.config(trusted_ca_file=files.ca)) as etcd:
        certified = files.context(with_certificate=True)
        assert ask(etcd.client_urls[0], certified) == 200
        before = descriptors()
        for number in range(10):
            with socket.create_connection(("127.0.0.1", etcd.port)) as line:
                line.sendall(b"nonsense\n" if number % 2 else b"\x16\x03\x01")
                line.shutdown(socket.SHUT_WR)
                while line.recv(100):
                    pass
        assert ask(etcd.client_urls[0], certified) == 200
        wait_until(lambda: descriptors() <= before, "all connections are closed")


def test_new_certificate_is_shown_to_the_next_connection(files: Files) -> None:
    def shown(url: str) -> bytes:
        parts = urlsplit(url)
        with (
            socket.create_connection((parts.hostname, parts.port)) as plain,
            files.context().wrap_socket(plain, server_hostname="127.0.0.1") as line,
        ):
            return line.getpeercert(binary_form=True) or b""

    with miniet.Server(config=files.config()) as etcd:
        [url] = etcd.client_urls
        first = shown(url)
        assert shown(url) == first
        files.issue("server", "127.0.0.1")
        second = shown(url)
        assert second != first
        Path(files.key).unlink()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(url)
        files.issue("server", "127.0.0.1")
        assert shown(url) not in (first, second, b"")


# ---- starts that fail


def missing_certificate(files: Files) -> str:
    os.unlink(files.cert)
    return f"open {files.cert}: no such file or directory"


def missing_key(files: Files) -> str:
    os.unlink(files.key)
    return f"open {files.key}: no such file or directory"


def missing_ca(files: Files) -> str:
    os.unlink(files.ca)
    return f"open {files.ca}: no such file or directory"


def key_of_another(files: Files) -> str:
    files.key = files.client_key
    return "tls: private key does not match public key"


def certificate_that_is_none(files: Files) -> str:
    Path(files.cert).write_text("certificate\n")
    return f"{files.cert}, {files.key}, {files.ca}: "


@pytest.mark.parametrize(
    "spoil",
    [
        missing_certificate,
        missing_key,
        missing_ca,
        key_of_another,
        certificate_that_is_none,
    ],
)
def test_file_that_cannot_be_used_fails_the_start(
    files: Files, spoil: Callable[[Files], str]
) -> None:
    """Source: the words of etcd 3.4.23, where it is not the library's to say."""
    text = spoil(files)
    with pytest.raises(miniet.StartError) as caught:
        miniet.Server(config=files.config(trusted_ca_file=files.ca)).start()
    assert str(caught.value).startswith(text)


def test_files_that_no_url_needs_are_not_read(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = files.config(listen_client_urls=("http://127.0.0.1:0",), cert_file="none")
    with caplog.at_level(logging.WARNING), miniet.Server(config=config) as etcd:
        assert etcd.client_urls[0].startswith("http:")
    assert "TLS is set up but not spoken" in caplog.text


# ---- the field's own clients


@pytest.mark.etcd
def test_etcdctl_speaks_tls_with_a_certificate_of_its_own(files: Files) -> None:
    etcdctl = find_binary("etcdctl", "3.4")
    if etcdctl is None:
        pytest.skip("no etcdctl 3.4 on this machine")
    config = files.config(trusted_ca_file=files.ca, client_cert_auth=True)
    with miniet.Server(config=config) as etcd:
        command = [
            etcdctl,
            f"--endpoints={etcd.client_urls[0]}",
            f"--cacert={files.ca}",
        ]
        certified = [
            *command, f"--cert={files.client_cert}", f"--key={files.client_key}"
        ]  # fmt: skip
        for words, answer in (
            (["put", "k", "v"], "OK\n"),
            (["get", "k"], "k\nv\n"),
            (["endpoint", "health"], ""),
        ):
            done = run([*certified, *words])
            assert (done.returncode, done.stdout) == (0, answer), done.stderr
        refused = run([*command, "--command-timeout=1s", "get", "k"])
        assert refused.returncode != 0


def test_curl_gets_a_page_whatever_it_prefers(files: Files) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    with miniet.Server(config=files.config()) as etcd:
        url = f"{etcd.client_urls[0]}/version"
        for words in ([], ["--http1.1"], ["--no-alpn"]):
            done = run([curl, "-sS", "--cacert", files.ca, *words, url])
            assert done.stdout == '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}', done


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={**os.environ, "ETCDCTL_API": "3"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
