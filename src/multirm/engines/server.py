"""Requests to a server that answers in JSON: repeated while it is down or busy, with limits on time and size."""

import asyncio
import json
import logging
import os
import re
import sys
from typing import Any

import httpx2
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from multirm.engines.address import is_address
from multirm.errors import InputError, shown

logger = logging.getLogger(__name__)
# It would log every request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

KEY_VARIABLE = "OPENAI_API_KEY"

# Maximum length of quotes from the server in messages.
_LENGTH = 200

# Maximum sizes of a list of models, of completions apart from their tokens, of a token with its log-probabilities,
# and of a repeated prompt token. A longer answer is refused.
_LIST_BYTES, _COMPLETIONS_BYTES = 2**24, 2**20
_TOKEN_BYTES, _PROMPT_TOKEN_BYTES = 2**9, 2**4

_BUSY = (408, 409, 425, 429)
_KEPT = "what is finished is kept: once the server is well, run the job again"


class RefusedError(InputError):
    """The server refused a request."""


class _BusyError(Exception):
    """The server may answer a repeated request."""


class Server:
    """A server and the connections to it. Close them with `aclose`.

    Args:
        address: as in "http://127.0.0.1:8000/v1".
        timeout: seconds to wait for a complete answer. After a timeout, the request is not repeated.
        patience: seconds for which requests to a server that is down or busy are repeated, at growing, random
            intervals.
        connections: maximum number of concurrent requests.

    Raises:
        InputError: `address` is not valid or contains a password, or the key cannot be sent.
    """

    def __init__(self, address: str, timeout: float, patience: float, connections: int) -> None:
        if not is_address(address):
            # Do not show an address that may contain a key or a password.
            found = "one with a user or a query" if set("@?#") & set(address) else shown(address)
            raise InputError(
                "server",
                expected="an address such as http://127.0.0.1:8000/v1",
                found=found,
                remedy=f"a key belongs into the environment variable {KEY_VARIABLE}",
            )
        self.address = address.rstrip("/")
        self._timeout = timeout
        self._patience = patience
        self._key = _key()
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            # Its other timeouts apply to parts of an answer.
            timeout=httpx2.Timeout(None, connect=30),
            limits=httpx2.Limits(max_connections=connections),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request, GET or with a body POST, and return the server's answer, a JSON object.

        Raises:
            RefusedError: the server refuses the request.
            InputError: the server is down or busy for too long, or its answer is empty, invalid or too long.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=0.5, max=30),
            stop=stop_after_delay(self._patience),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return await retrying(self._ask, path, body)
        except TimeoutError as error:
            found = f"no answer within {self._timeout:g} seconds"
            raise self._failure(found, _KEPT) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, _BusyError) as error:
            found = self.said(str(error) or type(error).__name__)
            raise self._failure(found, _KEPT) from error

    async def _ask(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        async with asyncio.timeout(self._timeout):
            request = self._client.stream(method, f"{self.address}/{path}", json=body)
            async with request as response:
                content = await self._read(response, _longest(body))
        status = response.status_code
        if status in _BUSY or status >= 500:
            raise _BusyError(f"status {status}")
        if status in (401, 403):
            remedy = f"set {KEY_VARIABLE} to a key for this server"
            raise RefusedError(
                self.address, expected="to be let in", found=f"status {status}", remedy=remedy
            )
        said = content.decode(errors="replace")
        if not response.is_success:
            found = f"status {status} to {path}: {self.said(said)}"
            raise RefusedError(self.address, expected="an answer", found=found)
        try:
            answer = json.loads(content)
        # RecursionError: lists nested too deeply.
        except (ValueError, RecursionError) as error:
            raise self.nonsense(self.said(said)) from error
        if not isinstance(answer, dict):
            raise self.nonsense(self.said(said))
        return answer

    async def _read(self, response: httpx2.Response, longest: int) -> bytes:
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > longest:
                said = self.said(content[:_LENGTH].decode(errors="replace"))
                raise self.nonsense(f"one of more than {longest:,} bytes: {said}")
        return bytes(content)

    def nonsense(self, found: str) -> InputError:
        """An error that says that an answer is not valid."""
        return InputError(
            self.address,
            expected="an answer of an OpenAI-compatible server",
            found=self.masked(found),
            remedy=_KEPT,
        )

    def said(self, value: object) -> str:
        """The beginning of a value from the server for a message, without our key."""
        text = self.masked(shown(value, sys.maxsize))
        return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"

    def masked(self, text: str) -> str:
        """`text` without our key, which may be escaped in it as in Python or JSON."""
        return re.sub(r"\\*".join(map(re.escape, self._key)), "***", text) if self._key else text

    def _failure(self, found: str, remedy: str) -> InputError:
        return InputError(
            self.address, expected="an answer", found=self.masked(found), remedy=remedy
        )

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.info(
            "%s: %s %s; it is asked again in %.1f seconds",
            self.address,
            type(error).__name__,
            self.said(str(error)),
            state.upcoming_sleep,
        )


def _longest(body: dict[str, Any] | None) -> int:
    """The maximum size in bytes of the answer to a request."""
    if body is None:
        return _LIST_BYTES
    of_choice = _TOKEN_BYTES * body.get("max_tokens", 0)
    of_choice += _PROMPT_TOKEN_BYTES * len(body.get("prompt", ""))
    return int(_COMPLETIONS_BYTES + body.get("n", 1) * of_choice)


def _key() -> str:
    """The key for the server, or "" if there is none.

    Raises:
        InputError: the key is not valid in an HTTP header.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(
            KEY_VARIABLE, expected="a key of printable ASCII characters", found="others in it"
        )
    return key


def _is_passing(error: BaseException) -> bool:
    # Among transport errors, LocalProtocolError says that the request itself is invalid.
    return isinstance(error, (httpx2.TransportError, _BusyError)) and not isinstance(
        error, httpx2.LocalProtocolError
    )
