"""Memory: whether something fits, asked before it is made, as a system that has run out ends a process wordlessly; and
that what was freed is kept for the next batch."""

import contextlib
import ctypes
import os
import platform
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # of a container: its own limit
FILES_KEPT = ("active_file", "inactive_file")  # of memory.stat


def free_memory() -> int | None:
    """Bytes that can still be had: what Linux calls available, elsewhere all that there are; None if unknown."""
    known = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        [line] = [line for line in MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:")]
        known.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError, KeyError):
        limit, used = ((CGROUP / name).read_text() for name in ("memory.max", "memory.current"))
        entries = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        cached = sum(int(entries[name]) for name in FILES_KEPT)  # counted as used, and given back when it is wanted
        known.append(int(limit) - int(used) + cached)  # 'max' without a limit
    if not known:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(known)) if known else None


# Of mallopt, <malloc.h>: no separate mapping for large pieces; nothing is given back below 2 GB; grow by 64 MB.
KEEP_PAGES = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**26)}


def keep_pages() -> bool:
    """Has this process keep the pages that it frees; whether it does: the C library must be glibc's.

    By default large pieces, as the features of a batch are, go back to the system at once, and every forward pass waits
    for the same pages anew. To be called before much is allocated. Variables MALLOC_* of the user's own come first.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    done = [mallopt(option, value) == 1 for option, value in KEEP_PAGES.values()]  # all, whatever one of them says
    return all(done)


def check_room(n_bytes: float, what: str, advice: str) -> None:
    """Raises ValueError if `what` takes more bytes than there are; advice: what to do then."""
    if lack := describe_lack(n_bytes, what):
        raise ValueError(f"{lack}: {advice}")


def describe_lack(n_bytes: float, what: str) -> str:
    """In words, that `what` takes more bytes than there are; '' if it does not, or nobody knows."""
    free = free_memory()
    if free is None or n_bytes <= free:
        return ""
    return f"{what} take {n_bytes / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} are free"
