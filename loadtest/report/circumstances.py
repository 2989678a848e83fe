"""How a load was run: the machine, the versions, the settings, and how to run it again. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from loadtest.report.markup import Html, breakable, element
from loadtest.report.result import Head
from loadtest.report.sections import section
from loadtest.report.wording import NONE, number, plain_name, wording

GIBIBYTE: Final = 1024**3


def circumstances(result: Head, *, is_known: bool) -> list[Html | None]:
    """
    Write the parts about how a load was run.

    With `is_known` the profile comes with the harness, so its name is enough to run it again.
    """
    return [
        section("again", "To run it again", _again(result, is_known=is_known)),
        section(
            "circumstances",
            "Circumstances",
            element(
                "div",
                _facts("Machine", result.machine),
                _facts("Versions", result.versions),
                _facts("Durability", {**result.durability, "fdatasync_ms": result.fdatasync_ms}),
                *(_facts(title, facts) for title, facts in generators(result)),
                class_="columns",
            ),
        )
        if result.machine or result.versions or result.durability
        else None,
    ]


def generators(result: Head) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what is known of each generator, with its name."""
    for place, one in enumerate(result.generators, 1):
        several = f" {place}" if len(result.generators) > 1 else ""
        facts = {name: value for name, value in one.items() if name != "agent"}
        yield one.get("agent", f"Generator{several}"), facts


def _again(result: Head, *, is_known: bool) -> Html | None:
    if not result.configuration:
        return None
    toml = "\n".join(as_toml(result.configuration))
    file = f"{result.profile}.toml"
    said = (
        None
        if is_known
        else element("p", "Save the configuration below as ", element("code", file), ":")
    )
    return element(
        "div",
        said,
        element("pre", element("code", command(result, is_known=is_known)), tabindex="0"),
        element(
            "details",
            element("summary", "The configuration as it was run"),
            element("pre", element("code", toml), tabindex="0"),
            open=None if is_known else "",
        ),
    )


def command(result: Head, *, is_known: bool) -> str:
    """Write the command that sends the same load again."""
    named = result.profile if is_known else f"{result.profile}.toml"
    words = ["python", "-m", "loadtest", "run", named]
    seed = result.configuration.get("seed")
    if seed is not None:
        words += ["--seed", str(seed)]
    if (count := len(result.generators)) > 1 or result.has_agents:
        words += ["--agents" if result.has_agents else "--generators", str(count)]
    return shlex.join(words)


def as_toml(document: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Write a profile as it would be read: values, then tables, then arrays of tables."""
    tables = {key: value for key, value in document.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in document.items() if _is_tables(value)}
    for key, value in document.items():
        if key not in tables and key not in arrays and value is not None:
            yield f"{_toml_key(key)} = {_toml(value)}"
    for key, value in tables.items():
        yield from ("", f"[{path}{_toml_key(key)}]", *as_toml(value, f"{path}{_toml_key(key)}."))
    for key, values in arrays.items():
        for one in values:
            inner = f"{path}{_toml_key(key)}"
            yield from ("", f"[[{inner}]]", *as_toml(one, f"{inner}."))


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _toml_key(key: str) -> str:
    is_bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if is_bare else json.dumps(key)


def _toml(value: Any) -> str:
    """Write a value. Strings of JSON are strings of TOML, as are its numbers and truth values."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_toml_key(key)} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value)


def _facts(title: str, facts: Mapping[str, Any]) -> Html | None:
    rows = [
        element("div", element("dt", breakable(name)), element("dd", value))
        for name, value in flattened(facts)
    ]
    if not rows:
        return None
    return element("div", element("h3", title), element("dl", *rows, class_="facts-list"))


def flattened(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """
    Give all that is known, what is within others too, as a name and a value for people.

    Names stay as they are, for they are those of settings and packages; a unit goes to its value.
    """
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{before}{key} ")
        elif key.endswith("_bytes") and isinstance(value, int | float):
            yield f"{before}{key.removesuffix('_bytes')}", f"{value / GIBIBYTE:.1f} GiB"
        elif isinstance(value, float) and (unit := wording(key).unit):
            yield f"{before}{plain_name(key.rpartition('_')[0])}", f"{value:g} {unit}"
        elif value is not None:
            yield f"{before}{key}", said(value)


def said(value: Any) -> str:
    """Write a value of any kind."""
    if value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
