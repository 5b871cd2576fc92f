"""A command that says nothing for a while is heard of, one that logs is not disturbed."""

import io
import logging
import sys
import threading
import time

import pytest
from tqdm import tqdm

from multirm.running import heartbeat, randomness
from multirm.running.heartbeat import doing, heard


def beats(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == heartbeat.__name__]


def until_beats(caplog: pytest.LogCaptureFixture, number: int) -> None:
    while len(beats(caplog)) < number:
        time.sleep(0.005)


def test_silence_is_broken_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), heard(0.02):
        until_beats(caplog, 3)
    assert all(line.startswith("still running after 0:0") for line in beats(caplog))
    assert all("memory up to " in line for line in beats(caplog))
    ended = len(beats(caplog))
    time.sleep(0.1)
    assert len(beats(caplog)) == ended
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_a_command_that_logs_or_ends_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    handlers = list(logging.getLogger().handlers)
    with caplog.at_level(logging.INFO), heard(3600):
        logging.getLogger("any").info("something")
    assert beats(caplog) == []
    assert logging.getLogger().handlers == handlers


def test_a_bar_is_progress(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), tqdm(total=3, file=io.StringIO()) as bar, heard(0.02):
        time.sleep(0.2)
        assert beats(caplog) == []
        bar.close()
        until_beats(caplog, 1)


def test_it_ends_with_an_error() -> None:
    with pytest.raises(ValueError, match="wrong"), heard(3600):
        raise ValueError("wrong")
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_what_is_being_done_is_the_innermost_of_our_functions() -> None:
    def inner() -> str:
        return doing(sys._getframe())

    assert inner() == "its start"
    script = "def local_generator(answer):\n    return answer()"
    ours = {"__name__": randomness.__name__}
    exec(script, ours)
    assert ours["local_generator"](inner) == "running.randomness.local_generator"  # type: ignore[operator]
    assert doing(None) == "its start"
