"""Requests to servers that are well, busy, away, silent or out of their minds."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from multirm.engines.server import RefusedError, Server
from multirm.errors import InputError
from tests.engines.conftest import Answer

Serve = Callable[[Answer], str]


def ask(address: str, timeout: float = 5, patience: float = 0, path: str = "models") -> Any:
    async def once() -> Any:
        async with aclosing(Server(address, timeout, patience, connections=2)) as server:
            return await server.ask(path)

    return asyncio.run(once())


def test_an_answer(answering: Serve) -> None:
    assert ask(answering(lambda path, body: (200, b'{"here": [1]}'))) == {"here": [1]}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8000/v1",
        "ftp://host/v1",
        "http://me:secret@host/v1",
        "http://secret@host/v1",
        "http://host/v1?key=secret",
        "",
    ],
)
def test_an_address_is_one_without_a_password(address: str) -> None:
    with pytest.raises(
        InputError, match=r"expected an address such as .* OPENAI_API_KEY"
    ) as caught:
        ask(address)
    assert "me:" not in str(caught.value)


def test_the_key_comes_from_the_environment_and_is_never_shown(
    answering: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    seen = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        seen.append(body["headers"]["Authorization"])
        status = 503 if len(seen) == 1 else 400
        return status, f"no such key: {seen[0]}".encode()

    with caplog.at_level(logging.DEBUG), pytest.raises(RefusedError) as caught:
        ask(answering(answer), patience=20)
    assert seen == ["Bearer sesame"] * 2
    assert "no such key: Bearer ***" in str(caught.value)
    assert "sesame" not in caplog.text


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_how_to_be(answering: Serve, status: int) -> None:
    with pytest.raises(RefusedError, match=f"found status {status}; set OPENAI_API_KEY"):
        ask(answering(lambda path, body: (status, b"{}")), patience=60)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(answering: Serve, status: int) -> None:
    answers = [(status, b"later"), (status, b"later"), (200, b"{}")]
    assert ask(answering(lambda path, body: answers.pop(0)), patience=60) == {}
    assert not answers


def test_a_server_that_stays_busy_is_given_up(answering: Serve) -> None:
    address = answering(lambda path, body: (503, b""))
    with pytest.raises(InputError, match=f"^{address}: .*found 'status 503'; what is finished is"):
        ask(address, patience=1)


def test_a_server_that_is_away_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(
        InputError, match=f"^{address}: expected an answer, found .*run the job again"
    ):
        ask(address, patience=1)


def test_a_server_that_comes_back_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def come_back() -> None:
        time.sleep(1)
        with socket.create_server(("127.0.0.1", port)) as listening:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=come_back)
    thread.start()
    assert ask(f"http://127.0.0.1:{port}/v1", patience=60) == {}
    thread.join()


def test_a_server_that_hangs_is_asked_once(answering: Serve) -> None:
    asked = []
    over = threading.Event()

    def hang(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        asked.append(path)
        over.wait(30)
        return 200, b"{}"

    address = answering(hang)
    with pytest.raises(InputError, match=r"found no answer within 0\.5 seconds; what is finished"):
        ask(address, timeout=0.5, patience=60)
    over.set()
    assert len(asked) == 1


def test_a_server_that_dies_while_it_answers_is_asked_again() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""]

    def die(listening: socket.socket) -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=die, args=(listening,))
        thread.start()
        with pytest.raises(InputError, match="expected an answer, found"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout=2, patience=3)
        thread.join()


@pytest.mark.parametrize(
    "answer", [b"<html>Hello</html>", b"[1, 2]", b"", b'{"choices": ', b"\xff"]
)
def test_what_is_no_object_is_nonsense(answering: Serve, answer: bytes) -> None:
    address = answering(lambda path, body: (200, answer))
    with pytest.raises(InputError, match=f"^{address}: expected an answer of an OpenAI-compatible"):
        ask(address, patience=60)
