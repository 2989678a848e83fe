"""A worker that has done millions of payments is as it was after the first of them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil

import pytest

from tests.long.commands import FOLDER
from tests.long.plan import read
from tests.long.soak import Soak

SOAK_LIMIT_S = 7_200
FIGURES = FOLDER / "soak.json"


@pytest.mark.long
@pytest.mark.timeout(SOAK_LIMIT_S)
async def test_soak() -> None:
    """Memory stays flat and bounded, commits go on, nothing slows down, and the books hold."""
    folder = FOLDER / f"soak-{secrets.token_hex(3)}"
    soak = Soak(read(os.environ).soak_payments, folder)
    try:
        await soak.run()
    except asyncio.CancelledError:  # Ctrl-C: nobody will look into it
        shutil.rmtree(folder, ignore_errors=True)
        raise
    samples = [list(one) for one in soak.samples]
    written = soak.found | {"faults": soak.faults}
    FIGURES.write_text(json.dumps({**written, "fields": soak.samples[0]._fields, "each": samples}))
    assert soak.faults == []
    shutil.rmtree(folder)
