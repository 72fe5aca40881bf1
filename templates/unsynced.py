#!/usr/bin/python3 -IS
"""Run a program that does not wait for the disk: unsynced.py PROGRAM WORDS...

dpkg writes its own books to the disk several times for each package, also with `force-unsafe-io`.
Here the kernel answers "done" to fsync and its like, to the program and all that it starts. Only
for what can be made again from the beginning: see docs/decisions.md.
"""

import ctypes
import os
import platform
import struct
import sys

# By machine: its audit number, and fsync, fdatasync, sync, sync_file_range, syncfs
CALLS = {
    "x86_64": (0xC000003E, (74, 75, 162, 277, 306)),
    "aarch64": (0xC00000B7, (82, 83, 81, 84, 267)),
}
LOAD, SAME, RETURN = 0x20, 0x15, 0x06
ALLOW, DONE = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, FILTER = 22, 2


class Program(ctypes.Structure):
    """The filter, as the kernel takes it."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def no_sync() -> None:
    """Set the filter for this process and its children; without it, all goes on as ever."""
    if platform.machine() not in CALLS:
        return
    arch, calls = CALLS[platform.machine()]
    last = len(calls)
    steps = [(LOAD, 0, 0, 4), (SAME, 0, last + 1, arch), (LOAD, 0, 0, 0)]
    steps += [(SAME, last - at, 0, call) for at, call in enumerate(calls)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DONE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = Program(len(steps), ctypes.addressof(code))
    ctypes.CDLL(None).prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0)


if __name__ == "__main__":
    no_sync()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  (what we are asked to run)
