"""Requests to servers that are well, busy, away, silent or out of their minds."""

import asyncio
import gzip
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import httpx2
import pytest

from multirm.engines.server import RefusedError, Server
from multirm.engines.server_replies import Models, read
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
        "http://host/v1?mail=me@secret",
        "http://me:se?secret@host/v1",
        "http://host/v1#secret",
        "me:secret@host/v1",
        "http://host/v1\n",
        "",
        "http:///v1",
        "http://:80/v1",
        "http://host:0/v1",
        "http://host:-1/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://host:80:80/v1",
        "http://[::1/v1",
        "http://[v1.x]/v1",
        "http://999.0.0.1/v1",
        "http://höst/v1",
        "http://host\x00/v1",
        "http://\ud800/v1",
        "http://host/" + "v" * 70_000,
    ],
)
def test_an_address_is_one_without_a_password(address: str) -> None:
    with pytest.raises(
        InputError, match=r"expected an address such as .* OPENAI_API_KEY"
    ) as caught:
        ask(address)
    assert "secret" not in str(caught.value)
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


@pytest.mark.parametrize(("key", "sent"), [(" sesame\n", "Bearer sesame"), (" \n", None)])
def test_space_around_the_key_is_no_part_of_it(
    answering: Serve, monkeypatch: pytest.MonkeyPatch, key: str, sent: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    seen = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        seen.append(body["headers"].get("Authorization"))
        return 200, b"{}"

    ask(answering(answer))
    assert seen == [sent]


@pytest.mark.parametrize("key", ["ses\name", "sesäme", "ses\x7fame"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    answering: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    asked = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        asked.append(path)
        return 200, b"{}"

    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(InputError, match=r"^OPENAI_API_KEY: expected a key of printable") as caught,
    ):
        ask(answering(answer), patience=60)
    assert not asked
    assert "ses" not in str(caught.value).removeprefix("OPENAI_API_KEY: ")
    assert "ses" not in caplog.text


@pytest.mark.parametrize(
    ("error", "times"), [(httpx2.LocalProtocolError, 1), (httpx2.RemoteProtocolError, 2)]
)
def test_errors_of_a_request_do_not_show_the_key(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[httpx2.TransportError],
    times: int,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    asked = []

    def fail(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) == 2:
            return httpx2.Response(400, text="no")
        raise error("Illegal header value b'Bearer sesame'")

    async def once() -> None:
        async with aclosing(Server("http://host/v1", 5, 60, connections=1)) as server:
            server._client = httpx2.AsyncClient(transport=httpx2.MockTransport(fail))
            await server.ask("models")

    with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
        asyncio.run(once())
    assert len(asked) == times
    assert "sesame" not in str(caught.value)
    assert "sesame" not in caplog.text
    assert (error.__name__ in caplog.text) == (times == 2)


def test_nonsense_does_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ses/'a\\me" * 9)
    key = os.environ["OPENAI_API_KEY"]
    server = Server("http://host/v1", 5, 60, connections=1)
    for found in (
        key,
        {"a": key},
        [f"\"'{key}"],
        json.dumps(key),
        json.dumps(key).replace("/", "\\/"),
    ):
        with pytest.raises(InputError, match=r"found data.*\*\*\*") as caught:
            read(Models, {"data": found}, server)
        assert "ses" not in str(caught.value)
    assert "ses" not in str(server.nonsense(f"an answer of {key}"))
    asyncio.run(server.aclose())


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
            listening.settimeout(60)
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


def test_a_server_that_trickles_is_a_server_that_hangs() -> None:
    over = threading.Event()

    def trickle(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while not over.wait(0.1):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        thread = threading.Thread(target=trickle, args=(listening,))
        thread.start()
        # Were it waited for, it would end after a while all the same.
        end = threading.Timer(20, over.set)
        end.start()
        with pytest.raises(InputError, match="found no answer within 1 seconds; what is finished"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout=1, patience=1)
        assert not over.is_set()
        over.set()
        end.cancel()
        thread.join()


def test_a_server_that_dies_while_it_answers_is_asked_again() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""]

    def die(listening: socket.socket) -> None:
        while answers:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answers.pop(0))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Who is not asked again does not wait for ever.
        listening.settimeout(20)
        thread = threading.Thread(target=die, args=(listening,))
        thread.start()
        with pytest.raises(InputError, match="expected an answer, found"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout=2, patience=3)
        thread.join()
    assert not answers


@pytest.mark.parametrize(
    "answer",
    [
        *(b"<html>Hello</html>", b"[1, 2]", b"", b'{"choices": ', b"\xff", b"null", b"\x00"),
        # Python stops at neither, but for an error of its own.
        *(b"[" * 200_000, b'{"a":' * 200_000, b'{"a": ' + b"1" * 5000 + b"}"),
    ],
)
def test_what_is_no_object_is_nonsense(answering: Serve, answer: bytes) -> None:
    address = answering(lambda path, body: (200, answer))
    with pytest.raises(InputError, match=f"^{address}: expected an answer of an OpenAI-compatible"):
        ask(address, patience=60)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("path", ["models", "completions"])
def test_an_answer_without_end_is_given_up(status: int, path: str) -> None:
    """It is read as far as an answer to such a request can go."""
    sent = []

    def flood(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 %d OK\r\n\r\n{" % status)
            while len(sent) < 1000:
                connection.sendall(b" " * 2**20)
                sent.append(1)

    async def once(address: str) -> None:
        async with aclosing(Server(address, 60, 0, connections=1)) as server:
            body = {"n": 2, "max_tokens": 5, "prompt": [1]} if path == "completions" else None
            await server.ask(path, body)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        thread = threading.Thread(target=flood, args=(listening,))
        thread.start()
        with pytest.raises(
            InputError, match=r"found one of more than [\d,]+ bytes: '\{ +"
        ) as caught:
            asyncio.run(once(f"http://127.0.0.1:{listening.getsockname()[1]}/v1"))
        thread.join()
    assert len(sent) < 50
    assert len(str(caught.value)) < 600


def test_an_answer_counts_as_what_it_is_unpacked() -> None:
    bomb = gzip.compress(b" " * 2**26)
    assert len(bomb) < 2**17

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, content=bomb)

    async def once() -> None:
        async with aclosing(Server("http://host/v1", 60, 0, connections=1)) as server:
            server._client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
            await server.ask("models")

    with pytest.raises(InputError, match="found one of more than"):
        asyncio.run(once())
