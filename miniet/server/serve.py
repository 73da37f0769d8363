"""`miniet serve`: a member as a process, until a signal."""

import asyncio
import ctypes
import gc
import logging
import signal

from miniet.engine import VERSION
from miniet.server import descriptors
from miniet.server.config import Config
from miniet.server.server import NEW_EVENT_LOOP, AsyncServer

logger = logging.getLogger(__name__)

GC_THRESHOLDS = (50_000, 2, 100)
"""A collection walks what is kept, and the index alone may be millions of objects, none
of it garbage: so the old are looked at rarely. A call under way is some 25 objects, so
that 1,000 of them must not be a reason to look at the young: with 10,000 in place of
50,000, these came at three quarters of the rate. `benchmarks/run.py collecting` holds
the pauses against those of Python's own thresholds."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MALLOC_OPTIONS = {_M_TRIM_THRESHOLD: 2 << 20, _M_MMAP_THRESHOLD: 1 << 20}
"""A response is freed when it is sent, and the next wants as much. Given back to the
kernel, its pages come back one by one, each zeroed, which was a quarter of a range of
1,000 keys of 256 bytes. So up to 2 MiB stay; larger blocks than 1 MiB do not."""

_LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}


def run(config: Config) -> int:
    """Serve until SIGTERM, SIGINT or a failure.

    Returns:
        The exit code: 0 after a signal, 1 after a failure.
    Raises:
        DataError, StartError: it did not start.
    """
    logging.basicConfig(
        level=_LOG_LEVELS[config.log_level],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    gc.set_threshold(*GC_THRESHOLDS)
    _keep_freed_memory()
    descriptors.raise_limit()
    with asyncio.Runner(loop_factory=NEW_EVENT_LOOP) as runner:
        return runner.run(_serve(config))


def _keep_freed_memory() -> None:
    """Set up glibc's allocator, where it is that; see `_MALLOC_OPTIONS`."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, size_bytes in _MALLOC_OPTIONS.items():
            mallopt(option, size_bytes)


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    data_dir = None if config.memory_only else config.data_path
    server = AsyncServer(data_dir, config=config)
    stopping = loop.create_task(stop.wait())
    starting = loop.create_task(server.start())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        logger.info("stopping before the start was done")
        starting.cancel()
        await asyncio.wait((starting,))
        return 0
    await starting
    gc.freeze()  # what was imported and built stays
    logger.info(
        "serving version=%s client_urls=%s data_dir=%s",
        VERSION,
        ",".join(server.client_urls),
        data_dir or "none (memory-only: nothing is kept)",
    )
    server.failed.add_done_callback(lambda _: stop.set())
    await stopping
    failed = server.failed.done()
    logger.info("stopping")
    await server.stop()
    return 1 if failed else 0
