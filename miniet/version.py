"""miniet's own version; the release of etcd it follows is `engine.VERSION`."""

MINIET_VERSION = "0.1.0"
