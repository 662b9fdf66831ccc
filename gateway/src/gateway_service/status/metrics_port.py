"""/metrics on a port of its own, which is free as soon as a process that is being replaced has ended."""

import errno
import logging
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from shared.metrics import Metrics

log = logging.getLogger(__name__)


class MetricsPort:
    """Call `open` until it stays open: periodically, as a predecessor may still have the port."""

    def __init__(self, port: int, *, host: str, metrics: Metrics) -> None:
        self._port = port
        self._host = host
        self._metrics = metrics
        self._server: WSGIServer | None = None
        self._warned = False

    async def open(self) -> None:
        """Serve in a thread, unless that is done, METRICS_PORT is unset, or somebody has the port."""
        if self._server is not None or not self._port:
            return
        try:
            self._server, _thread = start_http_server(
                self._port, addr=self._host, registry=self._metrics.registry
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if not self._warned:
                log.warning("METRICS_PORT is in use; it is tried again", extra={"port": self._port})
            self._warned = True

    def close(self) -> None:
        """Give the port back at once."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
