"""How long to wait before the same work is tried again."""

import itertools
import random

import pytest

from processor.retry import DELAY_S_MAX, FIRST_DELAY_S, delays


@pytest.mark.parametrize("seed", range(20))
def test_delays_grow_to_a_cap_and_never_end(seed: int) -> None:
    """Doubled each time, cut by up to a half at random, and capped."""
    found = list(itertools.islice(delays(random.Random(seed)), 500))
    whole = [min(FIRST_DELAY_S * 2**tries, DELAY_S_MAX) for tries in range(500)]

    assert len(found) == 500
    assert all(limit / 2 <= delay <= limit for delay, limit in zip(found, whole, strict=True))


def test_workers_do_not_march_in_step() -> None:
    """Two of them wait differently."""
    one, two = (list(itertools.islice(delays(random.Random(seed)), 5)) for seed in (1, 2))

    assert one != two
