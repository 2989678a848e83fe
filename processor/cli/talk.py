"""Commands for channel developers: send commands, follow their outcomes."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from processor import settings as settings_module
from processor.contracts import COMMANDS, DEAD_LETTERS, OUTCOMES, load_contract
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.cli.events import EventReader, Offsets
    from processor.cli.input import Gate, Input, Line
    from processor.cli.sender import Place
    from processor.contracts import Contract
    from processor.settings import Settings

WAIT_TIMEOUT_S: Final = 30.0
OUTCOMES_SHOWN_MAX: Final = 20
"""Outcomes that `send --wait` prints one by one; beyond that it counts them."""


@click.command()
@click.argument("commands", metavar="FILE|-|JSON")
@click.option("--topic", help="The topic without its prefix  [default: the commands topic].")
@click.option("--key", help="The record's key  [default: the field that the contract names].")
@click.option("--partition", type=click.IntRange(min=0), help="Instead of murmur2 of the key.")
@click.option("--no-validate", is_flag=True, help="Send as it is, also what is no command.")
@click.option("--wait", is_flag=True, help="Wait for the outcomes and print them.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=WAIT_TIMEOUT_S,
    show_default=True,
    help="Seconds without any outcome after which --wait gives up.",
)
def send(
    *,
    commands: str,
    topic: str | None,
    key: str | None,
    partition: int | None,
    no_validate: bool,
    wait: bool,
    timeout_s: float,
) -> None:
    """
    Send a command given as JSON, or the lines of a FILE or of standard input (-).

    Each is validated first, as the worker would. Nothing of a file is sent where a line is invalid.
    """
    from processor.cli.input import Gate, Input  # noqa: PLC0415 - validators take their time

    settings = settings_module.read()
    contract = load_contract()
    source = Input(commands)
    spec = contract.topics[COMMANDS]
    names = {contract.topics[role].name: role for role in contract.types}
    role = names.get(topic or spec.name, COMMANDS)
    gate = Gate(contract, role, command_bytes_max=settings.command_bytes_max)
    if not no_validate and (source.is_file or source.is_single):
        for line in source.lines():
            _refuse(source, gate, line, "nothing was sent")
    dispatch = Dispatch(
        settings,
        contract,
        source,
        gate,
        topic=settings.topic(topic or spec.name),
        key=None if key is None else key.encode(),
        partition=partition,
        validates=not no_validate,
    )
    sys.exit(asyncio.run(dispatch.run(timeout_s if wait else None)))


def _refuse(source: Input, gate: Gate, line: Line, so_far: str) -> None:
    fault = gate.fault(line.value)
    if fault is not None:
        raise ProcessorError(f"{source.name(line)}: {fault} ({so_far})")


class Dispatch:
    """One run of `processor send`."""

    def __init__(
        self,
        settings: Settings,
        contract: Contract,
        source: Input,
        gate: Gate,
        *,
        topic: str,
        key: bytes | None,
        partition: int | None,
        validates: bool,
    ) -> None:
        self._settings = settings
        self._contract = contract
        self._source = source
        self._gate = gate
        self._topic = topic
        self._key = key
        self._partition = partition
        self._validates = validates
        self._places: set[Place] = set()
        self._last: Place | None = None
        self._keeps_places = False

    async def run(self, timeout_s: float | None) -> int:
        """Send everything; with a timeout also wait for the outcomes. Gives the exit status."""
        from processor.cli.events import reading_events  # noqa: PLC0415 - Kafka's client takes its time
        from processor.cli.sender import partition_count  # noqa: PLC0415 - as above

        count = await partition_count(self._settings, self._topic)
        if self._partition is not None and self._partition >= count:
            raise ProcessorError(f"{self._topic} has partitions 0 to {count - 1}")
        if timeout_s is None:
            await self._send()
            return 0
        self._keeps_places = True
        async with reading_events(self._settings) as reader:
            starts = await self._answers_from(reader)
            await self._send()
            return await self._wait(reader, starts, timeout_s)

    def _acknowledged(self, place: Place) -> None:
        self._last = place
        if self._keeps_places:
            self._places.add(place)

    async def _send(self) -> None:
        from processor.cli.progress import Progress  # noqa: PLC0415 - as above
        from processor.cli.sender import sending  # noqa: PLC0415 - as above

        checked = self._source.is_file or self._source.is_single
        async with sending(self._settings, self._topic, self._acknowledged) as sender:
            with Progress(self._source.bytes_total) as progress:
                async for line in self._source.arriving():
                    if self._validates and not checked and self._gate.fault(line.value):
                        await sender.finish()
                        _refuse(self._source, self._gate, line, f"{sender.sent:,} sent before it")
                    key = self._gate.key(line.value) if self._key is None else self._key
                    name = self._source.name(line)
                    await sender.send(name, line.value, key, self._partition)
                    progress.advance(len(line.value) + 1, sender.sent)
                await sender.finish()
            if sender.sent == 1 and self._last is not None:
                click.echo(f"{self._topic}/{self._last[0]}@{self._last[1]}")
                return
            spread = ", ".join(f"{n}: {c:,}" for n, c in sorted(sender.by_partition.items()))
            rate = f"{sender.sent / max(progress.passed_s(), 1e-9):,.0f}/s"
            click.echo(f"sent {sender.sent:,} commands to {self._topic} ({rate})")
            if spread:
                click.echo(f"by partition: {spread}")

    def _topic_of(self, role: str) -> str:
        return self._settings.topic(self._contract.topics[role].name)

    async def _answers_from(self, reader: EventReader) -> Offsets:
        """Note where the answers' topics end before anything is sent."""
        from processor.cli.sender import partition_count  # noqa: PLC0415 - as above

        names = [self._topic_of(role) for role in (OUTCOMES, DEAD_LETTERS)]
        counts = {name: await partition_count(self._settings, name) for name in names}
        return (await reader.bounds(counts))[1]

    async def _wait(self, reader: EventReader, starts: Offsets, timeout_s: float) -> int:
        from processor.cli.events import dead_letter_line, outcome_line, parsed  # noqa: PLC0415 - as above

        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        total = len(self._places)
        counts: Counter[str] = Counter()
        if not self._places:
            return 0
        async for records in reader.values(starts, None):
            for record in records:
                event = parsed(record.value)
                if event is None or not self._is_answer(event["source"]):
                    continue
                deadline = loop.time() + timeout_s
                is_outcome = "outcome" in event
                counts[_kind(event)] += 1
                if total <= OUTCOMES_SHOWN_MAX:
                    click.echo(outcome_line(event) if is_outcome else dead_letter_line(event))
            if not self._places:
                break
            if loop.time() > deadline:
                raise ProcessorError(
                    f"{len(self._places):,} of {total:,} are not answered: "
                    f"no outcome for {timeout_s:g} s; does a worker run?"
                )
        if total > OUTCOMES_SHOWN_MAX:
            for kind, count in counts.most_common():
                click.echo(f"{count:>10,}  {kind}")
        return 0

    def _is_answer(self, source: dict[str, Any]) -> bool:
        """Whether it answers a command of ours that had none; its second event does not count."""
        place = (source["partition"], source["offset"])
        if source["topic"] != self._topic or place not in self._places:
            return False
        self._places.discard(place)
        return True


def _kind(event: dict[str, Any]) -> str:
    words = [event.get("outcome") or "dead letter", event.get("reason")]
    return " ".join(word for word in words if word) + (", repeat" if event.get("repeat") else "")


@click.command()
@click.option("--follow/--no-follow", default=True, help="Go on for ever, or stop at the end.")
@click.option(
    "--from-beginning",
    is_flag=True,
    help="Begin with the oldest; --no-follow always does.",
)
@click.option("--json", "as_json", is_flag=True, help="The events as they are, one in each line.")
@click.option("--transaction", type=click.UUID, help="Of this transaction id alone.")
@click.option("--dead-letters", is_flag=True, help="Dead letters instead of outcomes.")
def outcomes(
    *,
    follow: bool,
    from_beginning: bool,
    as_json: bool,
    transaction: Any,
    dead_letters: bool,
) -> None:
    """Show outcomes as they come: position, outcome, type, amount, accounts, id, remarks."""
    settings = settings_module.read()
    spec = load_contract().topics[DEAD_LETTERS if dead_letters else OUTCOMES]
    asyncio.run(
        _show_events(
            settings,
            settings.topic(spec.name),
            None if transaction is None else str(transaction),
            follow=follow,
            from_beginning=from_beginning or not follow,
            as_json=as_json,
        )
    )


async def _show_events(
    settings: Settings,
    topic: str,
    transaction_id: str | None,
    *,
    follow: bool,
    from_beginning: bool,
    as_json: bool,
) -> None:
    from processor.cli.events import (  # noqa: PLC0415 - as above
        dead_letter_line,
        outcome_line,
        parsed,
        reading_events,
    )
    from processor.cli.sender import partition_count  # noqa: PLC0415 - as above

    partitions = await partition_count(settings, topic)
    async with reading_events(settings) as reader:
        starts, ends = await reader.bounds({topic: partitions})
        async for records in reader.values(
            starts if from_beginning else ends, None if follow else ends
        ):
            for record in records:
                event = parsed(record.value)
                if transaction_id and (event or {}).get("transaction_id") != transaction_id:
                    continue
                if as_json or event is None:
                    click.echo((record.value or b"null").decode(errors="replace"))
                elif "outcome" in event:
                    click.echo(outcome_line(event))
                else:
                    click.echo(dead_letter_line(event))
