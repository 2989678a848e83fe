"""Become another program, with what that program needs set first. Run as a script, not imported.

    python launch.py [--die-with PARENT SIGNAL] [--account UID GID] [--reach-files] -- PROGRAM ...

It runs between fork and exec in a process of its own, since the calls below must not happen in
the parent, and Python code after a fork of a process with threads can hang.
"""

import ctypes
import os
import sys
from signal import SIG_DFL, SIGINT
from signal import signal as handle
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_KEEPCAPS: Final = 8
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_RAISE: Final = 2
CAPABILITY_VERSION_3: Final = 0x20080522
CAP_DAC_OVERRIDE: Final = 1
CAP_DAC_READ_SEARCH: Final = 2

libc = ctypes.CDLL(None, use_errno=True)


class Header(ctypes.Structure):
    """cap_user_header_t of capset(2)."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Sets(ctypes.Structure):
    """cap_user_data_t of capset(2): one half of the 64 capabilities."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def call(result: int, what: str) -> None:
    """End with one line where a system call failed."""
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


def permitted() -> int:
    """Return the capabilities that this process may use, as bits."""
    header, sets = Header(CAPABILITY_VERSION_3, 0), (Sets * 2)()
    call(libc.capget(ctypes.byref(header), sets), "capget")
    return int(sets[0].permitted)


def change_account(uid: int, gid: int, *, reach_files: bool) -> None:
    """Drop root for good, keeping at most the right to reach files in folders closed to others."""
    kept = 0
    if reach_files:
        have = permitted()
        kept = next((c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if have >> c & 1), 0)
    if kept:
        call(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if kept:
        bit = 1 << kept
        header, sets = Header(CAPABILITY_VERSION_3, 0), (Sets * 2)(Sets(bit, bit, bit))
        call(libc.capset(ctypes.byref(header), sets), "capset")
        call(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0), "prctl(PR_CAP_AMBIENT)")


def die_with(parent: int, signal: int) -> None:
    """Have the kernel send this process a signal when its parent ends, however it ends."""
    call(libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the line above
        sys.exit("the parent process has ended")


def main(arguments: list[str]) -> None:
    """Read the options, set things up, and become the program."""
    # A shell's background job ignores Ctrl-C and hands that on; what is launched is ended by it.
    handle(SIGINT, SIG_DFL)
    split = arguments.index("--")
    options, program = arguments[:split], arguments[split + 1 :]
    if "--account" in options:
        at = options.index("--account")
        uid, gid = int(options[at + 1]), int(options[at + 2])
        change_account(uid, gid, reach_files="--reach-files" in options)
    if "--die-with" in options:  # after the account: changing it forgets this
        at = options.index("--die-with")
        die_with(int(options[at + 1]), int(options[at + 2]))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
