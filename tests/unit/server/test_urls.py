from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.server.urls import (
    check_binding,
    parse_initial_cluster,
    parse_url,
    parse_urls,
)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:2379",
        "https://10.0.0.1:1",
        "http://[::1]:2379",
        "http://name.example:65536",
        "unix://localhost:1234",
        "unixs://socket:0",
        "http://:9",
        "http://127.0.0.1:",
    ],
)
def test_url_of_scheme_host_and_port_is_taken(url: str) -> None:
    assert parse_url(f"  {url} ") == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "URL scheme must be http, https, unix, or unixs: "),
        ("foo:9", "URL scheme must be http, https, unix, or unixs: foo:9"),
        ("127.0.0.1:9", "URL scheme must be http, https, unix, or unixs: 127.0.0.1:9"),
        ("ftp://a:9", "URL scheme must be http, https, unix, or unixs: ftp://a:9"),
        ("http://a", 'URL address does not have the form "host:port": http://a'),
        (
            "http://[::1]",
            'URL address does not have the form "host:port": http://[::1]',
        ),
        (
            "http://user:1@a",
            'URL address does not have the form "host:port": http://user:1@a',
        ),
        ("http://a:9/x", "URL must not contain a path: http://a:9/x"),
        ("http://a:9/", "URL must not contain a path: http://a:9/"),
        ("http://a:9?x=1", "URL must not contain a path: http://a:9?x=1"),
        ("http://a:b", 'invalid port ":b": http://a:b'),
        ("http://a:٣", 'invalid port ":٣": http://a:٣'),
    ],
)
def test_other_url_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its text is the claim)
        parse_url(url)
    assert str(caught.value) == reason


def test_list_of_urls_is_sorted_and_without_repetition() -> None:
    text = "http://b:2, http://a:1,http://b:2"
    assert parse_urls(text) == ("http://a:1", "http://b:2")
    assert parse_urls("") == ()


def test_list_with_an_empty_url_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        parse_urls("http://a:1,")


def test_initial_cluster_gathers_the_urls_of_a_member() -> None:
    members = parse_initial_cluster("a=http://a:2,,b=http://b:1,a=http://a:1")
    assert members == {"a": ("http://a:1", "http://a:2"), "b": ("http://b:1",)}
    assert parse_initial_cluster("") == {}


@pytest.mark.parametrize("text", ["a", "a=", "a=b", "a=http://x"])
def test_initial_cluster_without_urls_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        parse_initial_cluster(text)


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://0.0.0.0:0", "http://[::1]:65535"]
)
def test_server_can_listen_on_an_address(url: str) -> None:
    check_binding(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://foo.bar:9", "expected IP in URL for binding (http://foo.bar:9)"),
        ("http://:9", "expected IP in URL for binding (http://:9)"),
        ("http://127.0.0.1:99999", "invalid port: http://127.0.0.1:99999"),
    ],
)
def test_server_cannot_listen_on_anything_else(url: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its text is the claim)
        check_binding(url)
    assert str(caught.value) == reason


@settings(max_examples=200, deadline=None)
@given(st.text("htp:/[]@?#%1٣.,a\x00\t ", max_size=16))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    for url in (text, f"http://{text}:1", f"http://{text}"):
        with suppress(ValueError):
            check_binding(parse_url(url))
