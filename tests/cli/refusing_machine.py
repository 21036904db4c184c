"""What a process lacks from its first moment: streams, its folder, or the rights of root."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

_VERSION = 0x20080522  # capget(2): _LINUX_CAPABILITY_VERSION_3
_DROP = 24  # prctl(2): PR_CAPBSET_DROP
_READING_ALL = (1, 2)  # capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def close_input() -> None:
    os.close(0)


def close_streams() -> None:
    os.closerange(0, 3)


def remove_folder() -> None:
    """Delete the current folder."""
    shutil.rmtree(Path.cwd())


def give_up_rights() -> None:
    """Let root read only what its permissions let it read, in this process and all it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION), (ctypes.c_uint32 * 6)()
    refused = libc.capget(header, sets)
    for right in _READING_ALL:
        refused |= libc.prctl(_DROP, right)
        for kind in range(3):  # effective, permitted, inheritable
            sets[kind] &= ~(1 << right)
    if refused | libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "the rights cannot be given up")
