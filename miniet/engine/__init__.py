"""One member without its network."""
