"""`/livez`, `/readyz` and `/metrics` of a worker."""

from __future__ import annotations

import os
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from processor.errors import SettingsError
from processor.health import Health

STOP_TIMEOUT_S: Final = 1.0


class HttpServer:
    """
    Serves probes and metrics on the worker's own event loop: that it answers shows that the loop
    turns.
    """

    def __init__(self, health: Health, registry: CollectorRegistry, host: str, port: int) -> None:
        self._health = health
        self._registry = registry
        self._host = host
        self._port = port
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_TIMEOUT_S)

    async def start(self) -> None:
        """Listen. Raises SettingsError where the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno or 0).lower()
            raise SettingsError(f"cannot listen on {self._host}:{self._port}: {why}") from error

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        stuck = self._health.why_stuck()
        return web.Response(text=stuck or "alive\n", status=503 if stuck else 200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        lines = self._health.why_not_ready()
        text = "\n".join(lines) if lines else "ready"
        return web.Response(text=text + "\n", status=503 if lines else 200)

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
