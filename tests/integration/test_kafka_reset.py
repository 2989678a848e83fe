"""A broker whose connections are reset, as seen by the event loop that workers run on."""

from __future__ import annotations

import asyncio
from collections import Counter

import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ListGroupsRequest

from deploy.local import KafkaBroker
from deploy.local.ports import LOOPBACK, free_port
from loadtest.faults.gate import Gate
from processor.kafka import heed_resets

TURNS = 500
RESETS = 3


async def ask_while_reset(broker: KafkaBroker) -> Counter[str]:
    """Ask a broker in every turn of the loop while the connection is reset; count what comes."""
    port = free_port()
    gate = Gate(port, broker.port)
    found: Counter[str] = Counter()
    for _ in range(RESETS):
        await gate.open()
        connection = await create_conn(LOOPBACK, port)
        asked = []
        cutting = asyncio.create_task(gate.cut())
        for _ in range(TURNS):
            try:
                asked.append(asyncio.ensure_future(connection.send(ListGroupsRequest())))
            except (KafkaConnectionError, RuntimeError) as error:
                found[type(error).__name__] += 1
            await asyncio.sleep(0)
        await cutting
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found.update(type(one).__name__ for one in answers if isinstance(one, BaseException))
        connection.close()
    return found


def test_a_reset_is_told_as_what_it_is(broker: KafkaBroker) -> None:
    """Whoever writes before aiokafka has learned of it hears the same as who writes after."""
    undo = heed_resets()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(ask_while_reset(broker))
    finally:
        undo()
    assert found.keys() == {"KafkaConnectionError"}
    assert found["KafkaConnectionError"] >= RESETS


def test_uvloop_refuses_what_is_written_to_a_connection_that_was_reset(broker: KafkaBroker) -> None:
    """Why it must be heeded; where this fails, `heed_resets` can go."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(ask_while_reset(broker))
    assert found["RuntimeError"] >= RESETS
