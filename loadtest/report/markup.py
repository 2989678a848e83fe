"""
HTML and SVG put together from elements.

Whatever is not an `Html` is text, and is escaped: nothing of a result can become markup. Pure.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple


class Html(NamedTuple):
    """Markup, ready to be written."""

    text: str


Child = Html | str | None
"""What an element can hold; None leaves nothing behind."""

WITHOUT_END = frozenset({"meta", "link", "wbr"})


def element(name: str, *children: Child, **attributes: str | float | None) -> Html:
    """
    Write an element.

    Of an attribute's name a last underscore is dropped (`class_`), others are hyphens (`aria_label`
    is `aria-label`). An attribute that is None is left out; an empty one stands for itself.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in WITHOUT_END:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(*children).text}</{name}>")


def joined(*children: Child) -> Html:
    """Put markup and texts one behind the other."""
    return Html("".join(_written(child) for child in children if child is not None))


def _written(child: Html | str) -> str:
    return child.text if isinstance(child, Html) else escape(child)


def breakable(name: str) -> Html:
    """Write a name that may be broken behind its underscores."""
    first, *others = name.split("_")
    return joined(first, *(part for other in others for part in ("_", element("wbr"), other)))


def table(head: tuple[str, ...], rows: list[tuple[Child, ...]], caption: str, **kind: str) -> Html:
    """Write a table whose first column names the rows; numbers are aligned by `page.css`."""
    heads = (element("th", cell, scope="col") for cell in head)
    body = (
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
        )
        for row in rows
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        **kind,
    )
