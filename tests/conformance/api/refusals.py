"""What etcd says when it refuses a call, for comparison byte by byte."""

from tests.support.api_client import Refusal

EMPTY_KEY = Refusal("INVALID_ARGUMENT", "etcdserver: key is not provided")
KEY_NOT_FOUND = Refusal("INVALID_ARGUMENT", "etcdserver: key not found")
VALUE_PROVIDED = Refusal("INVALID_ARGUMENT", "etcdserver: value is provided")
LEASE_PROVIDED = Refusal("INVALID_ARGUMENT", "etcdserver: lease is provided")
TOO_MANY_OPERATIONS = Refusal(
    "INVALID_ARGUMENT", "etcdserver: too many operations in txn request"
)
DUPLICATE_KEY = Refusal(
    "INVALID_ARGUMENT", "etcdserver: duplicate key given in txn request"
)
REQUEST_TOO_LARGE = Refusal("INVALID_ARGUMENT", "etcdserver: request is too large")
COMPACTED = Refusal(
    "OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted"
)
FUTURE_REVISION = Refusal(
    "OUT_OF_RANGE", "etcdserver: mvcc: required revision is a future revision"
)
NO_SPACE = Refusal("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded")
CORRUPT = Refusal("DATA_LOSS", "etcdserver: corrupt cluster")
LEASE_NOT_FOUND = Refusal("NOT_FOUND", "etcdserver: requested lease not found")
LEASE_EXISTS = Refusal("FAILED_PRECONDITION", "etcdserver: lease already exists")
TTL_TOO_LARGE = Refusal("OUT_OF_RANGE", "etcdserver: too large lease TTL")
MEMBER_NOT_FOUND = Refusal("NOT_FOUND", "etcdserver: member not found")
PEER_URL_EXISTS = Refusal("FAILED_PRECONDITION", "etcdserver: Peer URLs already exists")
BAD_MEMBER_URLS = Refusal(
    "INVALID_ARGUMENT", "etcdserver: given member URLs are invalid"
)
MEMBER_NOT_LEARNER = Refusal(
    "FAILED_PRECONDITION", "etcdserver: can only promote a learner member"
)
NOT_ENOUGH_STARTED = Refusal(
    "UNKNOWN",
    "etcdserver: re-configuration failed due to not enough started members",
)
BAD_TRANSFEREE = Refusal("FAILED_PRECONDITION", "etcdserver: bad leader transferee")
