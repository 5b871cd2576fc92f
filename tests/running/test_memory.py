"""The memory that a process may use: the machine's, or what a limit leaves of it."""

import os
import resource
from pathlib import Path

import pytest

from multirm.running import memory
from multirm.running.memory import usable_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("group", "expected"), [(None, MACHINE), ("max\n", MACHINE), ("2000000000\n", 2 * 10**9)]
)
def test_the_limit_of_a_group_counts(
    group: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.max"
    if group is not None:
        file.write_text(group)
    monkeypatch.setattr(memory, "_GROUP_LIMIT", file)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert usable_memory() == expected


def test_the_limit_of_a_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10**9, 10**9))
    assert usable_memory() == 10**9
