"""Jobs report progress regularly, and always at the end."""

import logging
import sys
import time

import pytest

from multirm.running.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_every_ten_seconds_and_one_at_the_end(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress("scored", "solutions", 24) as progress:
        for _ in range(24):
            clock[0] += 1
            progress.add(1, 150)
    assert caplog.messages == [
        "scored 10 of 24 solutions, 1.0/s, 150 tokens/s, 00:14 left",
        "scored 20 of 24 solutions, 1.0/s, 150 tokens/s, 00:04 left",
        "scored 24 of 24 solutions, 1.0/s, 150 tokens/s",
    ]


def test_tokens_that_are_not_counted_are_not_reported(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress("trained on", "tokens", 5000) as progress:
        clock[0] += 2
        progress.add(5000)
    assert caplog.messages == ["trained on 5,000 of 5,000 tokens, 2,500.0/s"]


def test_slow_items_have_a_time_instead_of_a_rate(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress("did", "steps", 2) as progress:
        for _ in range(2):
            clock[0] += 75
            progress.add(1, 30)
    assert caplog.messages == [
        "did 1 of 2 steps, 75.0 s each, 0.4 tokens/s, 01:15 left",
        "did 2 of 2 steps, 75.0 s each, 0.4 tokens/s",
    ]


def test_a_terminal_has_a_bar_instead(
    clock: list[float],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO), Progress("scored", "solutions", 8) as progress:
        for _ in range(4):
            clock[0] += 11
            # A bar is drawn at most ten times a second.
            time.sleep(0.12)
            progress.add(1, 110)
        assert not caplog.messages
    shown = capsys.readouterr().err
    assert "scored" in shown and "4/8" in shown and "10 tokens/s" in shown


def test_a_job_that_takes_no_time_has_a_rate(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress("scored", "solutions", 1) as progress:
        progress.add(0)
        assert not caplog.messages
        progress.add(1, 10)
    assert "scored 1 of 1 solutions" in caplog.text
