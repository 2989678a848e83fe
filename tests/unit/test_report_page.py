"""The page of a result: what stands in it, and that nothing of a result becomes markup."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from loadtest.load.profile import known
from loadtest.report.circumstances import as_toml, command
from loadtest.report.markup import Html, element, joined
from loadtest.report.page import SIGN_COLOURS, written
from loadtest.report.publish import is_known
from loadtest.report.result import Head, Result, decoded
from loadtest.report.sections import LINES_SHOWN_MAX
from loadtest.report.timelines import kinds_per_second, process_names
from loadtest.report.wording import duration, milliseconds, number, when, wording
from tests.load_results import early, full

PAGE_BYTES_MAX = 500_000
NASTY = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\u202e"


def result_of(document: dict[str, Any]) -> Result:
    """Read a result from a document."""
    return decoded(msgspec.json.encode(document), "a test", Result)


def page_of(document: dict[str, Any], *, is_known: bool = True) -> str:
    """Write the page of a document."""
    return written(result_of(document), is_known=is_known)


def test_a_ramp_shows_where_the_knee_is() -> None:
    """In words and charts; what lies behind it is shaded. Without steps there is no such part."""
    shown = page_of(full())
    assert "The system kept up with 20,000/s" in shown
    assert 'id="staircase-latency"' in shown
    assert "≤ 250" in shown[shown.index('id="staircase-latency"') :]
    document = full()
    document["figures"]["knee_per_second"] = None
    assert "kept up with none of the steps" in page_of(document)
    document["figures"]["knee_per_second"] = 26_000
    document["steps"] = [step | {"holds": True} for step in document["steps"]]
    assert "kept up with every step, up to 26,000/s" in page_of(document)
    assert "staircase" not in page_of(document | {"steps": document["steps"][:1]})


def test_the_warm_up_is_that_of_what_was_sent() -> None:
    """A ramp's steps are not in the configuration."""
    result = result_of(full() | {"schedule": [{"seconds": 7.0, "warm_up": True}, {"seconds": 9}]})
    assert result.warm_up_s == 7.0


class Reader(HTMLParser):
    """Collects what a page has: elements, their attributes, text, and elements left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take note of text, but for style and script."""
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text += data

    def ids(self) -> list[str]:
        """Give all ids."""
        return [given for _, attrs in self.elements if (given := attrs.get("id"))]


def headings(page: str) -> list[str]:
    """Give the headings of a page's sections."""
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


def spoilt(value: Any) -> Any:
    """Put what would be markup into every text of a document."""
    if isinstance(value, dict):
        return {f"{key}{NASTY}": spoilt(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one) for one in value]
    return NASTY if isinstance(value, str) else value


def test_a_full_result_has_every_part_and_the_verdict_first() -> None:
    """In order of what people ask for."""
    page = page_of(full())
    assert headings(page) == [
        "Thresholds",
        "Knee",
        "Over time",
        "Percentiles",
        "Outcomes",
        "Processes",
        "Proof",
        "Figures",
        "To run it again",
        "Circumstances",
    ]
    text = Reader(page).text
    assert text.index("Passed") < text.index("The books prove, and all 4 thresholds hold.")
    assert text.index("all 4 thresholds hold") < text.index("Thresholds")
    for said in ("worker 1 killed", "recovered 14.2\xa0s later", "528,300 commands", "p99 ≤ 10"):
        assert said in text
    assert "python -m loadtest run faults --seed 1" in text


def test_what_a_result_lacks_is_left_out() -> None:
    """A result of before has no percentiles, kinds, processes or marks: no empty headings."""
    page = page_of(early())
    assert headings(page) == [
        "Thresholds",
        "Over time",
        "Proof",
        "Figures",
        "To run it again",
        "Circumstances",
    ]
    least = page_of({"profile": "x", "verdict": "passed", "figures": {}})
    assert headings(least) == []
    assert "Passed" in Reader(least).text


@pytest.mark.parametrize("part", sorted(full().keys() - {"profile", "verdict", "figures"}))
def test_any_part_may_be_missing(part: str) -> None:
    """One at a time: the page is still well-formed."""
    document = full(30)
    del document[part]
    assert Reader(page_of(document)).open == []


def test_a_page_is_well_formed_and_names_nothing_twice() -> None:
    """Every element ends, ids are unique, what is labelled by something finds it."""
    found = Reader(page_of(full(), is_known=False))
    assert found.open == []
    ids = found.ids()
    assert len(ids) == len(set(ids))
    labels = [attrs.get("aria-labelledby") for _, attrs in found.elements]
    named = {one for label in labels if label for one in label.split()}
    assert named <= set(ids)
    assert ("html", {"lang": "en"}) in found.elements
    drawings = [attrs for tag, attrs in found.elements if tag == "svg" and "role" in attrs]
    assert len(drawings) == sum(tag == "desc" for tag, _ in found.elements) > 10


def test_a_page_asks_for_nothing() -> None:
    """No address anywhere, no file beside it, and a policy that forbids every request."""
    page = page_of(full())
    assert set(re.findall(r"[a-z]+://[^\"' <]*", page)) == set()
    fetched = [
        attrs
        for tag, attrs in Reader(page).elements
        if tag in {"script", "img", "link", "iframe", "object"} and {"src", "href"} & attrs.keys()
    ]
    assert [attrs["rel"] for attrs in fetched] == ["icon"]
    assert str(fetched[0]["href"]).startswith("data:image/svg+xml,")
    assert "default-src &#x27;none&#x27;" in page
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.parametrize("is_known", [True, False])
def test_nothing_of_a_result_becomes_markup(*, is_known: bool) -> None:
    """Not in texts, not in names, not in attributes."""
    document = full()
    nasty = copy.deepcopy(document)
    for part in ("configuration", "machine", "versions", "durability", "outcomes", "processes"):
        nasty[part] = {f"{key}{NASTY}": value for key, value in nasty[part].items()}
    nasty["machine"] = spoilt(document["machine"])
    nasty["proof"]["checked"] = {NASTY: 1}
    nasty["proof"]["lines"] = [NASTY]
    nasty["figures"][NASTY] = 1.0
    nasty["thresholds"].append({"threshold": f"{NASTY} <= 1", "holds": False})
    for mark in nasty["marks"]:
        mark["what"] = NASTY
    for row in nasty["series"]:
        row["outcomes"] = {f"{key}{NASTY}": value for key, value in row["outcomes"].items()}
    nasty |= {"profile": NASTY, "title": NASTY, "verdict": NASTY, "started_at": NASTY}

    page = page_of(nasty, is_known=is_known)

    found = Reader(page)
    assert found.open == []
    assert [tag for tag, _ in found.elements if tag == "script"] == ["script"]
    assert not any(tag == "img" for tag, _ in found.elements)
    assert not any(key.startswith("on") for _, attrs in found.elements for key in attrs)
    assert "alert(1)" in found.text


def test_text_is_escaped_and_markup_is_not() -> None:
    """Whatever is not said to be markup is text."""
    inner = element("b", "1 < 2", title='"')
    assert inner == Html('<b title="&quot;">1 &lt; 2</b>')
    assert joined("a & b", inner, None).text == "a &amp; b" + inner.text
    assert element("meta", name_="x", content=None).text == '<meta name="x">'


def test_an_hour_makes_no_large_page() -> None:
    """Twelve processes, sampled each second."""
    document = full(3600)
    for number_ in range(4, 9):
        document["processes"][f"worker-{number_}"] = document["processes"]["worker-2"]
    assert len(page_of(document).encode()) < PAGE_BYTES_MAX


VERDICTS = [
    (
        {
            "verdict": "threshold",
            "thresholds": [{"threshold": "latency_p99_ms <= 5", "holds": False}],
        },
        *("Threshold missed", "bad"),
        "at most 5\xa0ms was asked for.",
    ),
    (
        {
            "verdict": "threshold",
            "thresholds": [{"threshold": "recovered_s <= 30", "holds": False}],
        },
        *("Threshold missed", "bad"),
        "recovered_s <= 30 does not hold.",
    ),
    (
        {"verdict": "proof_failed", "proof": {"holds": False, "lines": ["a", "b"]}},
        *("Proof failed", "bad"),
        "The books do not prove: 2 differences. The figures are void.",
    ),
    (
        {"verdict": "invalid", "counts": {"is_interrupted": True}},
        *("Invalid", "void"),
        "It was interrupted. The figures are void.",
    ),
    (
        {"verdict": "invalid", "figures": {"late_sends_percent": 23.64}},
        *("Invalid", "void"),
        "23.6 % of the commands were sent late: the sender did not keep up.",
    ),
    ({"verdict": "odd_one"}, "Odd one", "void", "A verdict that this harness does not know."),
]


@pytest.mark.parametrize(("change", "word", "look", "why"), VERDICTS)
def test_the_verdict_says_why(change: dict[str, Any], word: str, look: str, why: str) -> None:
    """In words, in its colour, and in the tab's title and icon too."""
    page = page_of(full(30) | change)
    assert f'class="verdict {look}"' in page
    text = Reader(page).text
    assert f"{word}: load test faults" in text
    assert why in text
    assert SIGN_COLOURS[look].removeprefix("#") in page


def test_a_void_run_has_no_threshold_that_holds() -> None:
    """Its figures say nothing, so they are not shown as if they did."""
    text = Reader(page_of(full() | {"verdict": "invalid"})).text
    assert "✓ holds" not in text
    assert text.count("! void") == 4


def test_of_many_differences_some_are_shown() -> None:
    """And how many there are more."""
    lines = [f"difference {number_}" for number_ in range(LINES_SHOWN_MAX + 5)]
    document = full() | {"verdict": "proof_failed", "proof": {"holds": False, "lines": lines}}
    text = Reader(page_of(document)).text
    assert f"difference {LINES_SHOWN_MAX - 1}" in text
    assert f"difference {LINES_SHOWN_MAX}" not in text
    assert "and 5 more, in the result's file" in text


def test_the_command_sends_the_same_load_again() -> None:
    """By its name where the profile is the harness's own, with any seed; else by what it was."""
    own = json.loads(msgspec.json.encode(known()["smoke"]))
    same = Head("smoke", "passed", {}, configuration={**own, "seed": 7})
    other = Head("smoke", "passed", {}, configuration={**own, "accounts": 7, "seed": 7})
    assert (is_known(same), is_known(other)) == (True, False)
    assert not is_known(Head("../smoke", "passed", {}, configuration=own))
    assert command(same, is_known=True) == "python -m loadtest run smoke --seed 7"
    assert command(other, is_known=False) == "python -m loadtest run smoke.toml --seed 7"
    several = msgspec.structs.replace(same, generators=({"sent": 1}, {"sent": 1}))
    assert command(several, is_known=True).endswith(" --seed 7 --generators 2")
    far = msgspec.structs.replace(same, generators=({"sent": 1, "agent": "far:1"},))
    assert command(far, is_known=True).endswith(" --seed 7 --agents 1")
    assert (
        "Save the configuration below as smoke.toml"
        in Reader(page_of(early(), is_known=False)).text
    )


@pytest.mark.parametrize(
    "document", [full()["configuration"], {"a b": ['"\n', {"x": True}], "n": 1.5}]
)
def test_a_configuration_is_written_as_it_would_be_read(document: dict[str, Any]) -> None:
    """TOML without what is null, which it does not have."""

    def without_null(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_null(one) for key, one in value.items() if one is not None}
        return [without_null(one) for one in value] if isinstance(value, list) else value

    assert tomllib.loads("\n".join(as_toml(document))) == without_null(document)


def test_kinds_are_counted_by_the_second() -> None:
    """Also where rows are more than a second apart, or one has none of a kind."""
    rows = [
        {"at_s": 1.0, "outcomes": {"posted": 500, "rejected": 1}},
        {"at_s": 2.0, "outcomes": {"posted": 400}},
        {"at_s": 4.0, "outcomes": {"posted": 900, "rejected": 6}},
    ]
    assert kinds_per_second(result_of(full(30) | {"series": rows}).series) == {
        "posted": [(1.0, 500.0), (2.0, 400.0), (4.0, 450.0)],
        "rejected": [(1.0, 1.0), (2.0, 0.0), (4.0, 3.0)],
    }


MARKS = [
    ({"until_s": 12.0, "recovered_s": 4.25}, "at 10\xa0s, for 2\xa0s · recovered 4.2\xa0s later"),
    ({"until_s": 12.0, "recovered_s": 0}, "at 10\xa0s, for 2\xa0s · recovered when it ended"),
    ({"until_s": 12.0, "recovered_s": None}, "at 10\xa0s, for 2\xa0s · no recovery seen"),
    ({"until_s": None, "recovered_s": None}, "at 10\xa0s, for 20\xa0s · no recovery seen"),
    ({"until_s": 12.0}, "at 10\xa0s, for 2\xa0s"),
    ({}, "at 10\xa0s"),
]


@pytest.mark.parametrize(("more", "said"), MARKS)
def test_what_was_done_is_shaded_and_its_end_told(more: dict[str, Any], said: str) -> None:
    """From when until when, and how long it was felt; what never ended goes to the last second."""
    page = page_of(full(30) | {"marks": [{"at_s": 10.0, "what": "a worker killed"} | more]})
    assert f"1a worker killed {said}Rate" in Reader(page).text
    rate = page.split('id="rate"')[1].split("</figure>")[0]
    spans = re.findall(
        r'<rect x="([\d.]+)" y="0" width="([\d.]+)"[^>]* class="span ([a-z-]+)"', rate
    )
    end = more.get("until_s", 10.0) or 30.0
    shaded = {kind: (float(x), float(width)) for x, width, kind in spans}
    assert shaded["fault"] == pytest.approx((333.3, max(1.0, (end - 10) / 0.03)), abs=0.1)
    assert ("recovery" in shaded) == bool(more.get("recovered_s"))


def test_processes_are_in_the_order_in_which_people_look() -> None:
    """The tenth worker is behind the second."""
    names = ["reader", "worker-10", "sender", "postgres", "worker-2", "broker", "proxy"]
    assert process_names(names) == [
        *("worker-2", "worker-10", "postgres", "broker", "sender", "reader", "proxy")
    ]


def test_figures_are_written_for_people() -> None:
    """Thousands apart, three digits that matter, units; a figure of the future after itself."""
    shown = [number(value) for value in (None, 0.0, 0.0021, 3.14159, 41.37, 191.4, 1234567.0)]
    assert shown == ["-", "0", "0.002", "3.14", "41.4", "191", "1,234,567"]
    assert wording("latency_p999_ms") == ("Latency p99.9", "ms")
    assert wording("answered_per_second").say(2987.4) == "2,987/s"
    assert wording("knee_per_second") == ("Knee", "/s")
    assert wording("backlog_drained_s").say(3.0) == "3\xa0s"
    assert (milliseconds(4.25), milliseconds(1350.0)) == ("4.25\xa0ms", "1.35\xa0s")
    spans = [duration(value) for value in (4.23, 60, 200, 3600, 3900)]
    assert spans == [
        one.replace(" ", "\xa0") for one in ("4.2 s", "1 min", "3 min 20 s", "1 h", "1 h 5 min")
    ]
    assert when("2026-11-22T18:00:05+01:00") == "22 November 2026, 17:00:05 UTC"
    assert (when("yesterday"), when(None)) == ("yesterday", "-")
