"""Stories of the sample that need an earlier answer first, or that race between two partitions."""

from __future__ import annotations

from loadtest.stories.ordinary import other_content
from loadtest.stories.pen import respell
from loadtest.stories.world import Script, World


def repeat_elsewhere(world: World) -> Script:
    """Repeat an answered command through another partition."""
    body, debit, *_, record = world.posted_transfer()
    value = respell(body, world.rng) if world.rng.randrange(2) else body
    elsewhere = world.pen.elsewhere(debit.name)
    world.late.append([world.pen.record(debit.name, value, "repeat", partition=elsewhere)])
    return [record]


def conflict_elsewhere(world: World) -> Script:
    """Send other content under an answered id through another partition."""
    body, debit, credit, _, record = world.posted_transfer()
    other = other_content(world, body, credit)
    elsewhere = world.pen.elsewhere(debit.name)
    world.late.append([world.pen.record(debit.name, other, "conflict", partition=elsewhere)])
    return [record]


def reversal_of_spent_money(world: World) -> Script:
    """Take a transfer back after its receiver has spent the money."""
    receiver = world.private()
    minor = world.minor()
    debit = world.payer(minor, receiver.currency)
    body = world.transfer(debit, receiver, minor)
    world.moved(debit, receiver, minor, receiver.currency)
    everything = receiver.final or 0
    world.moved(receiver, None, everything, receiver.currency)
    home = world.home(receiver)
    spent = world.pen.record(receiver.name, world.withdrawal(receiver, everything), "posted")
    back = world.reversal(body)
    reason = "rejected:insufficient_funds"
    world.late.append([spent, world.pen.record(debit.name, back, reason, partition=home)])
    return [world.pen.record(debit.name, body, "posted")]


def racing_reversals(world: World) -> Script:
    """Take one transfer back twice at once, through two partitions: one comes first."""
    body, debit, credit, minor, record = world.posted_transfer()
    world.moved(credit, debit, minor, debit.currency)
    lanes = (None, world.pen.elsewhere(debit.name))
    for lane in lanes:
        reversal = world.reversal(body)
        world.late.append([world.pen.record(debit.name, reversal, None, partition=lane)])
    world.pen.races.update(("posted", "rejected:exceeds_original"))
    return [record]


def racing_ids(world: World) -> Script:
    """Send one id with two contents at once, through two partitions: one comes first."""
    body, debit, *_ = world.posted_transfer()
    elsewhere = world.pen.elsewhere(debit.name)
    same = world.rng.randrange(2)
    other = body if same else body | {"reference": "the other one"}
    world.late.append([world.pen.record(debit.name, body, None)])
    world.late.append([world.pen.record(debit.name, other, None, partition=elsewhere)])
    world.pen.races.update(("posted", "repeat" if same else "conflict"))
    return []


def racing_for_the_last_money(world: World) -> Script:
    """Spend all of an account twice at once, through two partitions: one comes first."""
    payer = world.private()
    payer.final = 0
    opened = []
    for lane in (None, world.pen.elsewhere(payer.name)):
        payee = world.newcomer("won", payer.currency)
        payee.final = None
        opened.append(world.pen.record(payee.name, world.opening(payee), "posted"))
        body = world.transfer(payer, payee, payer.spendable)
        world.late.append([world.pen.record(payer.name, body, None, partition=lane)])
    world.pen.races.update(("posted", "rejected:insufficient_funds"))
    return opened
