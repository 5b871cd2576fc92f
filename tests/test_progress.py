"""Jobs say how they get on now and then, and always at the end."""

import time

import pytest

from multirm.progress import Progress


def test_reports_come_every_ten_seconds_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = Progress(30)
    due = []
    for done in range(1, 31):
        clock[0] += 1
        if progress.is_due(done):
            due.append(done)
    assert due == [10, 20, 30]
    assert progress.per_second(60) == 2


def test_a_job_that_takes_no_time_has_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    progress = Progress(1)
    assert progress.is_due(1)
    assert progress.per_second(0) == 0
