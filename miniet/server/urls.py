"""URLs as etcd's settings take them: scheme, host, port, nothing else."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

SCHEMES = ("http", "https", "unix", "unixs")


def parse_url(text: str) -> str:
    """Check one URL; return it without blanks around it.

    Raises:
        ValueError: what is wrong, in etcd's words where etcd has any.
    Source: etcd v3.4.9 pkg/types/urls.go, NewURLs.
    """
    text = text.strip()
    parts = _split(text)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"URL scheme must be http, https, unix, or unixs: {text}")
    _, colon, port = parts.netloc.rpartition("@")[2].rpartition(":")
    if not colon or port.endswith("]"):
        raise ValueError(f'URL address does not have the form "host:port": {text}')
    if port and not (port.isascii() and port.isdigit()):
        raise ValueError(f'invalid port ":{port}": {text}')
    if parts.path or parts.query or parts.fragment:
        raise ValueError(f"URL must not contain a path: {text}")
    return text


def parse_urls(text: str) -> tuple[str, ...]:
    """Read a comma-separated list; the empty text is the empty list.

    Returns:
        Each URL once, sorted.
    Raises:
        ValueError: as `parse_url`.
    """
    return tuple(sorted({parse_url(url) for url in text.split(",")})) if text else ()


def parse_initial_cluster(text: str) -> dict[str, tuple[str, ...]]:
    """Read `name=url,name=url`; a member with several URLs is named several times.

    Raises:
        ValueError: as `parse_url`.
    Source: etcd v3.4.9 pkg/types/urlsmap.go, NewURLsMap.
    """
    members: dict[str, list[str]] = {}
    for pair in filter(None, text.split(",")):
        name, _, url = pair.partition("=")
        members.setdefault(name, []).append(parse_url(url))
    return {name: tuple(sorted(urls)) for name, urls in members.items()}


def check_binding(url: str) -> None:
    """Refuse a checked URL that a server cannot listen on.

    Raises:
        ValueError: the host is a name other than localhost, or there is no such port.
    """
    parts = _split(url)
    try:
        if parts.hostname != "localhost":
            ip_address(parts.hostname or "")
    except ValueError:
        raise ValueError(f"expected IP in URL for binding ({url})") from None
    try:
        parts.port  # noqa: B018 (reading it checks its range)
    except ValueError:
        raise ValueError(f"invalid port: {url}") from None


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:  # brackets that are no IPv6 address
        raise ValueError(f"{error}: {text}") from None
