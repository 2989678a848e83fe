"""
The page of a result: one file that needs nothing else, no network and no script.

Its own policy forbids every request and every script but the one in it, which adds readouts.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final
from urllib.parse import quote

from loadtest.report.circumstances import circumstances
from loadtest.report.judgement import judgement
from loadtest.report.markup import Html, element, joined
from loadtest.report.result import Result
from loadtest.report.sections import page_body

STYLES: Final = ("colours.css", "drawing.css", "page.css")
SCRIPT: Final = Path(__file__).with_name("page.js")
SIGN_COLOURS: Final = {"good": "#15803d", "bad": "#c02636", "void": "#8a5a00"}


def page(result: Result, style: str, script: str, *, is_known: bool) -> str:
    """Write the page. `is_known` says that the profile comes with the harness. Pure."""
    judged = judgement(result)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(script)),
        element("meta", name_="referrer", content="no-referrer"),
        element("title", f"{judged.word}: load test {result.profile}"),
        element("link", rel="icon", href=_icon(judged.look)),
        element("style", Html(style)),
    )
    body = element(
        "body",
        page_body(result, *circumstances(result, is_known=is_known)),
        element("script", Html(script)),
    )
    return joined(Html("<!doctype html>\n"), element("html", head, body, lang="en"), "\n").text


def policy(script: str) -> str:
    """Write the policy that lets nothing in but the page's own style, script and icon."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _icon(look: str) -> str:
    """Draw a dot in the verdict's colour, for the tab."""
    dot = element(
        "svg",
        element("circle", cx="8", cy="8", r="7", fill=SIGN_COLOURS[look]),
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 16 16",
    )
    return f"data:image/svg+xml,{quote(dot.text)}"


def written(result: Result, *, is_known: bool) -> str:
    """Write the page with the style and the script that lie beside this module."""
    script = SCRIPT.read_text(encoding="utf-8")
    return page(result, style(*STYLES), script, is_known=is_known)


def style(*names: str) -> str:
    """Read style sheets that lie beside this module."""
    return "\n".join(Path(__file__).with_name(one).read_text(encoding="utf-8") for one in names)
