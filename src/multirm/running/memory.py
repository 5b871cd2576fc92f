"""How much memory this process may use."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

# Control groups, which containers and Slurm's jobs are: where the kernel lists them, and which ones this process is in.
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_memory() -> int:
    """The machine's main memory, or what a limit of this process or its groups leaves of it, in bytes."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    own = [] if allowed == resource.RLIM_INFINITY else [allowed]
    return min([most, *own, *_group_limits()])


def _group_limits() -> Iterator[int]:
    """The limits of this process's groups and of those that they are in, in bytes.

    In a container, the list names groups outside it, and its own limit is at the top.
    """
    for line in _OWN_GROUPS.read_text("utf-8").splitlines() if _OWN_GROUPS.is_file() else ():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            top, name = _GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = _GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = Path(group).relative_to("/")
        for folder in (own, *own.parents):
            file = top / folder / name
            text = file.read_text("ascii").strip() if file.is_file() else ""
            if text.isdecimal():
                yield int(text)
