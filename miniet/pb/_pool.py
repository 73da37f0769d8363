"""The descriptor pool that all generated modules of this package share."""

from google.protobuf import descriptor_pool

POOL = descriptor_pool.DescriptorPool()
"""Not the process-wide default pool: see the package's docstring."""
