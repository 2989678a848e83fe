"""
Chromium without a screen, spoken to in its DevTools protocol.

It is no Python package, so a machine may lack it: then what needs it is skipped, but where
`NEEDED` is set, as in continuous integration, it fails.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest

from deploy.local.daemon import launcher

NEEDED: Final = "TESTS_NEED_CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
START_LIMIT_S: Final = 60.0
ANSWER_LIMIT_S: Final = 30.0
END_LIMIT_S: Final = 10.0
POLL_S: Final = 0.02
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def program() -> str:
    """Find the browser; without one the test is skipped, or fails where it must run."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        said = "no Chromium here (on Debian: apt-get install chromium)"
        if os.environ.get(NEEDED):
            pytest.fail(said)
        pytest.skip(said)
    return found


class Page:
    """A tab without a network. `seen` are all events that it told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.seen: list[dict[str, Any]] = []

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask something of the browser, and give its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._socket.send_str(orjson.dumps(message).decode())
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while (answer := await self._next()).get("id") != number:
                self.seen.append(answer)
        assert "error" not in answer, f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    async def attach(self) -> None:
        """Open the tab, and be told what happens in it."""
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.ask(f"{domain}.enable")
        await self.ask(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    async def look(self, width: int, scheme: str, height: int = 900) -> None:
        """Be so wide, in a colour scheme: `light` or `dark`."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.ask("Emulation.setEmulatedMedia", features=features)

    async def open(self, path: Path) -> None:
        """Open a file, until it is loaded."""
        self.seen.clear()
        await self.ask("Page.navigate", url=path.as_uri())
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while not any(event.get("method") == "Page.loadEventFired" for event in self.seen):
                self.seen.append(await self._next())

    async def find(self, expression: str) -> Any:
        """Give the value of an expression in the page."""
        found = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def point(self, x: float, y: float) -> None:
        """Move the pointer."""
        await self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """Give the events of these kinds."""
        return [event for event in self.seen if event.get("method") in methods]

    async def _next(self) -> dict[str, Any]:
        message = await self._socket.receive_str()
        answer: dict[str, Any] = orjson.loads(message)
        return answer


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """Start a browser that keeps its things in `folder`, and end it."""
    process = await asyncio.create_subprocess_exec(
        *launcher(None, signal.SIGKILL),  # it ends with this process, however that ends
        program(),
        *FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while (url := _address(folder / "DevToolsActivePort")) is None:
                assert process.returncode is None, f"Chromium ended with {process.returncode}"
                await asyncio.sleep(POLL_S)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, max_msg_size=MESSAGE_BYTES_MAX) as socket,
        ):
            page = Page(socket)
            await page.attach()
            yield page
    finally:
        await _end(process)


def _address(told: Path) -> str | None:
    """Read where the browser listens, which it writes when it is up."""
    lines = told.read_text().splitlines() if told.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(END_LIMIT_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
