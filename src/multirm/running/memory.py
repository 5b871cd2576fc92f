"""How much memory this process may use."""

import os
import resource
from pathlib import Path

# The limit of a container or a Slurm job.
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def usable_memory() -> int:
    """The machine's main memory, or what a limit of this process or its group leaves of it, in bytes."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY:
        most = min(most, allowed)
    group = _GROUP_LIMIT.read_text("ascii").strip() if _GROUP_LIMIT.is_file() else ""
    return min(most, int(group)) if group.isdecimal() else most
