"""etcd's storage rebuilt in Python as a real etcd v3 server."""

__version__ = "0.1.0"
