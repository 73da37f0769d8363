"""The member on the network: gRPC, metrics, the loop that drives the engine."""
