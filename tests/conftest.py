"""What holds for all tests."""

import os

# As `miniet.server` says it, but tests import grpcio first: see there.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
