"""The memory that a process may use: the machine's, or what a limit leaves of it."""

import os
import resource
from pathlib import Path

import pytest

from multirm.running import memory
from multirm.running.memory import usable_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
JOB = "slurm/job_1"
OF_BOTH_VERSIONS = f"5:cpu,memory:/{JOB}/step_0\n2:pids:/other\n0::/{JOB}/step_0\n"


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        (None, {}, MACHINE),
        ("0::/\n", {}, MACHINE),
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        ("0::/\n", {"memory.max": "2000000000\n"}, 2 * 10**9),
        # Groups outside a container.
        (f"0::/../{JOB}\n", {"memory.max": "2000000000\n"}, 2 * 10**9),
        (OF_BOTH_VERSIONS, {f"{JOB}/step_0/memory.max": "max", f"{JOB}/memory.max": "9"}, 9),
        (OF_BOTH_VERSIONS, {f"{JOB}/step_0/memory.max": "8", f"{JOB}/memory.max": "9"}, 8),
        (OF_BOTH_VERSIONS, {"slurm/job_2/memory.max": "9", "other/memory.max": "9"}, MACHINE),
        (OF_BOTH_VERSIONS, {f"memory/{JOB}/memory.limit_in_bytes": "7\n"}, 7),
        (OF_BOTH_VERSIONS, {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, MACHINE),
        (OF_BOTH_VERSIONS, {f"cpu/{JOB}/memory.limit_in_bytes": "7\n"}, MACHINE),
    ],
)
def test_the_limits_of_groups_count(
    own: str | None,
    limits: dict[str, str],
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if own is not None:
        (tmp_path / "own").write_text(own)
    for name, text in limits.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert usable_memory() == expected


def test_the_limit_of_a_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10**6, 10**6))
    assert usable_memory() == 10**6
