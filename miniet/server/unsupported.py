"""Flags of etcd 3.4 to 3.6 that miniet has not, and refuses by name.

Refused rather than swallowed: a server that took `--client-crl-file` and let in whom
it revokes would be worse than one that does not start. What a flag turns off that
miniet does not have anyway is taken, since it does here what it does in etcd.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OFF_HERE = _names(
    """
    auto-tls debug enable-distributed-tracing enable-log-rotation
    enable-pprof enable-v2 experimental-compact-hash-check-enabled
    experimental-enable-distributed-tracing experimental-initial-corrupt-check
    experimental-memory-mlock experimental-peer-skip-client-san-verification
    experimental-stop-grpc-service-on-defrag force-new-cluster memory-mlock
    next-cluster-version-compatible peer-auto-tls peer-client-cert-auth
    peer-skip-client-san-verification socket-reuse-address socket-reuse-port
    """
)

_ON_OR_UNKNOWN_HERE = _names(
    """
    discovery-insecure-skip-tls-verify discovery-insecure-transport
    enable-grpc-gateway experimental-txn-mode-write-with-shared-buffer force
    pre-vote strict-reconfig-check v vv
    """
)

_EMPTY_HERE = _names(
    """
    cipher-suites client-cert-allowed-hostname client-cert-file
    client-crl-file client-key-file config-file discovery discovery-cacert
    discovery-cert discovery-endpoints discovery-key discovery-password
    discovery-proxy discovery-srv discovery-srv-name discovery-token discovery-user
    experimental-enable-v2v3 feature-gates listen-client-http-urls
    log-package-levels peer-cert-allowed-cn peer-cert-allowed-hostname
    peer-cert-file peer-client-cert-file peer-client-key-file peer-crl-file
    peer-key-file peer-trusted-ca-file
    """
)

_OTHERS = _names(
    """
    auth-token auth-token-ttl backend-bbolt-freelist-type bcrypt-cost
    bootstrap-defrag-threshold-megabytes cluster-active-size cluster-remove-delay
    cluster-sync-interval compact-hash-check-time config corrupt-check-time cors
    discovery-dial-timeout discovery-fallback discovery-keepalive-time
    discovery-keepalive-timeout discovery-request-timeout
    distributed-tracing-address distributed-tracing-instance-id
    distributed-tracing-sampling-rate distributed-tracing-service-name
    downgrade-check-time experimental-backend-bbolt-freelist-type
    experimental-bootstrap-defrag-threshold-megabytes
    experimental-compact-hash-check-time experimental-corrupt-check-time
    experimental-distributed-tracing-address
    experimental-distributed-tracing-instance-id
    experimental-distributed-tracing-sampling-rate
    experimental-distributed-tracing-service-name experimental-downgrade-check-time
    experimental-max-learners host-whitelist log-format log-outputs
    log-rotation-config-json logger max-learners max-result-buffer
    max-retry-attempts peer-election-timeout peer-heartbeat-interval proxy
    proxy-dial-timeout proxy-failure-wait proxy-read-timeout proxy-refresh-interval
    proxy-write-timeout raft-read-timeout raft-write-timeout retry-interval
    self-signed-cert-validity snapshot tls-max-version tls-min-version
    v2-deprecation warning-unary-request-duration
    """
)

UNSUPPORTED_SWITCHES = _OFF_HERE | _ON_OR_UNKNOWN_HERE
"""Those that stand alone on a command line, without a value."""

UNSUPPORTED = UNSUPPORTED_SWITCHES | _EMPTY_HERE | _OTHERS
"""All of them."""

_TEXTS_FOR_NOTHING = {
    **dict.fromkeys(_OFF_HERE, ("0", "f", "F", "false", "FALSE", "False")),
    **dict.fromkeys(_EMPTY_HERE, ("",)),
}


def asks_for_nothing(name: str, text: str) -> bool:
    """Tell whether an unsupported flag, set so, asks for what miniet does anyway.

    `--enable-v2=false` does, and an empty `--client-crl-file`.
    """
    return text in _TEXTS_FOR_NOTHING.get(name, ())
