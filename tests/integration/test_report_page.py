"""The page of a result in a real browser: wide and narrow, light and dark, without a network."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from loadtest.report.page import written
from loadtest.report.result import Result, decoded
from tests.integration.chromium import Page, browsing
from tests.load_results import early, full

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAPTOP, TABLET, PHONE = 1280, 800, 390
LOOKS = [
    *((width, scheme) for width in (LAPTOP, PHONE) for scheme in ("light", "dark")),
    (TABLET, "light"),
]
LONG = "a fault with a name that is much longer than any that people would write down " * 2

TOO_FAINT = """
(() => {
  const parsed = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const scaled = text.startsWith("color(srgb") ? numbers.slice(0, 3).map((one) => 255 * one)
      : numbers.slice(0, 3);
    return [...scaled, numbers[3] ?? 1];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((one, at) => a * one + (1 - a) * under[at]);
  const light = (colour) => colour.slice(0, 3).map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => node === null ? [255, 255, 255]
    : over(parsed(getComputedStyle(node).backgroundColor), ground(node.parentElement));
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement, style = getComputedStyle(node);
    const isShown = node.getClientRects().length && !node.closest("svg, script, caption");
    const text = walk.currentNode.textContent.trim(), size = parseFloat(style.fontSize);
    if (!text || !isShown || size === 0) continue;
    looked += 1;
    const under = ground(node), front = over(parsed(style.color), under);
    const [high, low] = [light(front), light(under)].sort((a, b) => b - a);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) found.push([text, ratio]);
  }
  return [looked, found];
})()
"""
"""How many texts there are, and which of them have less contrast than WCAG's level AA asks for."""

OVERLAPPING = """
(() => {
  const found = [];
  const groups = [...document.querySelectorAll(".frame")].flatMap((frame) =>
    [".x", ".y", ".key li"].map((kind) => [...frame.querySelectorAll(kind)]));
  for (const group of groups) {
    const boxes = group.map((node) => [node.textContent, node.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0);
    boxes.forEach(([text, box], at) => boxes.slice(at + 1).forEach(([other, next]) => {
      const isApart = box.right <= next.left || next.right <= box.left
        || box.bottom <= next.top + 1 || next.bottom <= box.top + 1;
      if (!isApart) found.push([text, other]);
    }));
  }
  return found;
})()
"""
"""Pairs of labels of the same axis or key that cover each other."""

SIZES = (
    "[document.scrollingElement.scrollWidth, innerWidth, document.querySelectorAll('.plot').length]"
)
CUT_OFF = """
[...document.querySelectorAll(".faults span")].some((one) => one.scrollWidth > one.clientWidth + 1)
"""
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
PLOT = """
(() => {
  const box = document.querySelector("#latency .plot").getBoundingClientRect();
  return [box.left + 0.6 * box.width, box.top + 20];
})()
"""
READOUTS = """
[...document.querySelectorAll("#latency .now, #rate .now")].map((one) => one.textContent)
"""
CURSORS = "document.querySelectorAll('.cursor:not([hidden])').length"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write pages: of a result with everything, of one of before, and of an odd one."""
    odd = full(3600)
    odd["marks"][0]["what"] = odd["marks"][3]["what"] = LONG
    odd |= {"profile": "a" * 200, "title": LONG, "verdict": "proof_failed"}
    odd["proof"] = {"holds": False, "lines": ["x" * 500], "checked": {"commands": 10**12}}
    odd["thresholds"] = [{"threshold": "y" * 100, "holds": False}]
    odd["figures"] |= {"a_rather_long_name_of_a_figure_that_nobody_knows_ms": 1e12}
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, document in {"full": full(), "early": early(), "odd": odd}.items():
        result = decoded(msgspec.json.encode(document), name, Result)
        found[name] = folder / f"{name}.html"
        found[name].write_text(written(result, is_known=False), encoding="utf-8")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Page]:
    """Give a tab of a browser without a network, the same for all: it takes seconds to start."""
    # What it writes while it ends does not matter.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with browsing(Path(folder)) as page:
            yield page


async def test_a_page_is_whole_on_every_screen(browser: Page, pages: dict[str, Path]) -> None:
    """Nothing to scroll aside, no label on another, contrast of level AA, no error, no request."""
    for name, path in pages.items():
        for width, scheme in LOOKS:
            where = (name, width, scheme)
            await browser.look(width, scheme)
            await browser.open(path)
            await browser.find(UNFOLD)
            content, room, plots = await browser.find(SIZES)
            assert (where, content <= room == width, plots >= 3) == (where, True, True)
            assert (where, await browser.find(OVERLAPPING)) == (where, [])
            looked, faint = await browser.find(TOO_FAINT)
            assert (where, faint, looked > 50) == (where, [], True)
            assert (where, await browser.find(CUT_OFF) and name != "odd") == (where, False)
            assert errors(browser) == []
            assert requests(browser) == [path.as_uri()]


async def test_light_and_dark_are_what_the_reader_has(
    browser: Page, pages: dict[str, Path]
) -> None:
    """The ground follows the system's setting, without a script."""
    grounds = {}
    await browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for scheme in ("light", "dark"):
            await browser.look(LAPTOP, scheme)
            await browser.open(pages["full"])
            grounds[scheme] = await browser.find("getComputedStyle(document.body).backgroundColor")
    finally:
        await browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 21, 25)"}


async def test_the_pointer_reads_all_charts_at_its_time(
    browser: Page, pages: dict[str, Path]
) -> None:
    """Values stand by the names of their lines, and go with the pointer."""
    await browser.look(LAPTOP, "light", height=4000)
    await browser.open(pages["full"])
    before = await browser.find("document.body.innerText")
    x, y = await browser.find(PLOT)
    await browser.point(x, y)
    shown = await browser.find(READOUTS)
    # After 108 of 180 seconds: of so few nothing is thinned out.
    row = full()["series"][107]
    assert near(shown[0], row["answered_per_second"])
    assert near(shown[1], row["meant_per_second"])
    assert [text.split()[-1] for text in shown[2:]] == ["ms", "ms", "ms"]
    assert near(shown[3], row["p99_ms"])
    assert near(shown[4], row["p50_ms"])
    assert await browser.find(CURSORS) > 4
    await browser.point(0, 0)
    assert set(await browser.find(READOUTS)) == {""}
    assert await browser.find("document.body.innerText") == before
    assert errors(browser) == []


def near(text: str, value: float) -> bool:
    """Say whether a readout is a value, as exactly as it is drawn."""
    shown = float(text.replace(",", "").removesuffix("/s").split()[0])
    return shown == pytest.approx(value, rel=0.02)


def errors(browser: Page) -> list[dict[str, Any]]:
    """Give what the page complained about, its policy's refusals included."""
    return browser.told("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


def requests(browser: Page) -> list[str]:
    """Give the addresses that were asked for, but for those that are content themselves."""
    sent = browser.told("Network.requestWillBeSent")
    urls = [event["params"]["request"]["url"] for event in sent]
    return [url for url in urls if not url.startswith("data:")]
