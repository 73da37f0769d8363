from miniet.engine import VERSION
from miniet.server.identity import cluster_id, member_id

# From the start of an etcd 3.4.23 with these URLs and tokens.


def test_ids_of_the_default_member_are_those_of_etcd() -> None:
    member = member_id(["http://localhost:2380"], "etcd-cluster")
    assert member == 0x8E9E05C52164694D
    assert cluster_id([member]) == 0xCDF818194E3A8C32


def test_order_of_peer_urls_does_not_matter() -> None:
    urls = ["http://127.0.0.1:13380", "http://10.0.0.9:1"]
    assert member_id(urls, "tok") == member_id(urls[::-1], "tok") == 0xF96BA659045FFFB7
    assert cluster_id([0xF96BA659045FFFB7]) == 0xAE0E4A0166A0BCD9


def test_order_of_members_does_not_matter() -> None:
    assert cluster_id([1, 2**64 - 1]) == cluster_id([2**64 - 1, 1])


def test_server_version_is_purely_numeric() -> None:
    assert all(part.isdigit() for part in VERSION.split("."))
    assert VERSION.count(".") == 2
