"""Profiles: those that come with the harness can be run, and what is wrong with one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.load.profile import FIGURES, ProfileError, find, known, read, threshold_of
from loadtest.load.verdict import Verdict, verdict_of
from loadtest.traffic.shape import PLAIN, Traffic

GOOD = """
title = "a try"
[[stages]]
seconds = 1
per_second = 10
"""


def written(folder: Path, text: str) -> Path:
    """Write a profile."""
    path = folder / "try.toml"
    path.write_text(text)
    return path


RAMP = """
title = "a try"
[ramp]
from_per_second = 10
to_per_second = 100
step_per_second = 10
"""


def test_all_that_come_with_the_harness_are_sound() -> None:
    """Each is known by its name, and has a threshold at least."""
    assert known().keys() >= {"smoke", "steady", "spike", "soak"}
    assert known().keys() >= {"duplicates", "conflicts", "poison", "hot_account", "mixed"}
    for name, profile in known().items():
        assert find(name) == profile
        assert profile.bounds() != []


def test_a_file_is_a_profile_too(tmp_path: Path) -> None:
    """By its path; what it leaves out has a default."""
    profile = find(str(written(tmp_path, GOOD)))
    assert (profile.workers, profile.seed, profile.thresholds) == (1, 1, ())


def test_what_is_sent_is_a_table_of_its_own(tmp_path: Path) -> None:
    """Plain transfers unless told; shares in percent, kinds by weight."""
    assert read(written(tmp_path, GOOD)).traffic == PLAIN
    traffic = '[traffic]\nskew = 1\nrepeats_percent = 20\nkinds = {"hold.place" = 2}'
    assert read(written(tmp_path, GOOD + traffic)).traffic == Traffic(
        skew=1.0, repeats_percent=20.0, kinds={"hold.place": 2.0}
    )


def traffic_of(text: str) -> str:
    """Return a profile with such a table."""
    return f"{GOOD}[traffic]\n{text}"


WRONG = [
    (RAMP + "[[stages]]\nseconds = 1\nper_second = 1", "try.toml: ramp: not together with stages"),
    ("backlog = 5" + RAMP, "try.toml: ramp: not together with backlog"),
    (
        RAMP.replace("= 100", "= 2_000_000").replace(
            "step_per_second = 10", "step_per_second = 50_000"
        ),
        "try.toml: ramp.to_per_second: at most 1,000,000",
    ),
    (RAMP.replace("100", "5"), "try.toml: ramp.to_per_second: above from_per_second"),
    (traffic_of("skew = 6"), "try.toml: traffic.skew: from 0 to 5"),
    (traffic_of("hot_percent = 101"), "try.toml: traffic.hot_percent: from 0 to 100"),
    (traffic_of("poison_percent = -1"), "try.toml: traffic.poison_percent: from 0 to 100"),
    (traffic_of("skew = nan"), "try.toml: traffic.skew: from 0 to 5"),
    (
        traffic_of("repeats_percent = 60\nconflicts_percent = 36"),
        "try.toml: traffic: at least 5 % must be new commands",
    ),
    (
        traffic_of("repeats_percent = 60\ninsufficient_percent = 41"),
        "try.toml: traffic: all shares together are at most 100 %",
    ),
    (traffic_of("repeat = 1"), "try.toml: traffic: Object contains unknown field `repeat`"),
    (traffic_of('skew = "a"'), "try.toml: traffic.skew: Expected `float`, got `str`"),
    (traffic_of('kinds = {transfer = "a"}'), "try.toml: traffic.kinds[...]: Expected `float`"),
    (traffic_of("kinds = {}"), "try.toml: traffic.kinds: at least one above 0"),
    (traffic_of("kinds = {transfer = -1}"), 'try.toml: traffic.kinds."transfer": from 0 to 1,0'),
    (
        traffic_of('kinds = {"day.close" = 1}'),
        "try.toml: traffic.kinds: no channel sends 'day.close'; there are account.open,",
    ),
    (
        traffic_of('kinds = {"hold.capture" = 1, transfer = 1}'),
        'try.toml: traffic.kinds."hold.capture": needs hold.place beside it',
    ),
    (
        traffic_of("kinds = {reversal = 1, journal = 1}"),
        'try.toml: traffic.kinds."reversal": needs transfer or payment or deposit or withdrawal',
    ),
    ("", "try.toml: Object missing required field `title`"),
    ("title = ", "try.toml: Invalid value (at "),
    (GOOD + "rate = 7", "try.toml: stages[0]: Object contains unknown field `rate`"),
    (GOOD.replace("10", '"ten"'), "try.toml: stages[0].per_second: Expected `float`, got `str`"),
    (GOOD.replace("10", "-1"), "try.toml: stages[0].per_second: from 0 to 1,000,000"),
    (GOOD.replace("10", "0"), "try.toml: stages[0]: not a single command"),
    (GOOD.replace("seconds = 1", "seconds = 0"), "try.toml: stages[0].seconds: above 0, at most"),
    (GOOD + "warm_up = true", "try.toml: stages: at least one must be measured, not all warm up"),
    (
        GOOD + "[[stages]]\nseconds = 1\nper_second = 1\nwarm_up = true",
        "try.toml: stages: those that warm up come first",
    ),
    ("workers = 9" + GOOD, "try.toml: workers: from 1 to 8"),
    ("accounts = 1" + GOOD, "try.toml: accounts: at least 2"),
    ("accounts = 2_000_000" + GOOD, "try.toml: accounts: at most 1,000,000"),
    ('title = "a"\nstages = []', "try.toml: stages: at least one must be measured"),
    ("backlog = -1" + GOOD, "try.toml: backlog: from 0 to 5,000,000"),
    (
        "backlog = 1" + GOOD + "warm_up = true\n[[stages]]\nseconds = 1\nper_second = 1",
        "try.toml: backlog: no stage warms up behind it",
    ),
    (
        "backlog = 1" + GOOD + "[[faults]]\nat_s = 0.5\nkind = 'stop_worker'\nworker = 1",
        "try.toml: backlog: not together with faults",
    ),
    ("recovered_p99_ms = 0" + GOOD, "try.toml: recovered_p99_ms: above 0"),
    ('thresholds = ["p99 < 3"]' + GOOD, "try.toml: thresholds[0]: no figure is named 'p99'"),
    (
        'thresholds = ["latency_p99_ms"]' + GOOD,
        "try.toml: thresholds[0]: 'latency_p99_ms' is not FIGURE SIGN NUMBER",
    ),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    """With the file and the place in it."""
    with pytest.raises(ProfileError) as raised:
        read(written(tmp_path, text))
    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


def test_a_backlog_is_sent_before_the_stages_and_not_measured(tmp_path: Path) -> None:
    """Exactly so many commands, as fast as they can be sent."""
    profile = read(written(tmp_path, "backlog = 30_001" + GOOD))
    filling, *stages = profile.sent_stages
    assert (filling.commands, filling.warm_up) == (30_001, True)
    assert tuple(stages) == profile.stages
    assert read(written(tmp_path, GOOD)).sent_stages == profile.stages


def test_a_ramp_is_sent_step_by_step(tmp_path: Path) -> None:
    """In place of stages."""
    profile = read(written(tmp_path, RAMP))
    assert profile.stages == ()
    assert [stage.per_second for stage in profile.sent_stages[1:]] == list(range(10, 101, 10))


def test_a_threshold_is_a_figure_a_sign_and_a_number() -> None:
    """A figure that was not measured holds nothing."""
    bound = threshold_of(" latency_p99_ms<=1_000.5 ")
    assert bound.written() == "latency_p99_ms <= 1000.5"
    assert bound.holds({"latency_p99_ms": 1000.5})
    assert not bound.holds({"latency_p99_ms": 1000.6})
    assert not bound.holds({})
    assert not threshold_of("worst_stall_ms == 3").holds({"worst_stall_ms": None})


def test_money_is_judged_first_then_the_sender_then_the_thresholds() -> None:
    """Each verdict is an exit status of its own."""
    figures = dict.fromkeys(FIGURES, 1.0)
    met, unmet = [threshold_of("latency_p99_ms <= 2")], [threshold_of("latency_p99_ms <= 0.5")]
    late = figures | {"late_sends_percent": 1.1}

    assert verdict_of(figures, met, []) is Verdict.PASSED
    assert verdict_of(figures, [*met, *unmet], []) is Verdict.THRESHOLD
    assert verdict_of(late, unmet, []) is Verdict.INVALID
    assert verdict_of(figures, unmet, [], is_interrupted=True) is Verdict.INVALID
    assert verdict_of(late, unmet, ["one is missing"]) is Verdict.PROOF_FAILED
    assert [*Verdict] == [0, 1, 2, 3, 4]
