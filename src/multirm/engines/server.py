"""Requests to a server that answers in JSON: repeated while it is away or busy, and never without end."""

import json
import logging
import os
import re
from typing import Any

import httpx2
from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from multirm.engines.address import ADDRESS
from multirm.errors import InputError, shown

logger = logging.getLogger(__name__)
# It would log every request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

KEY_VARIABLE = "OPENAI_API_KEY"

_BUSY = (408, 409, 425, 429)
_KEPT = "what is finished is kept: once the server is well, run the job again"


class RefusedError(InputError):
    """The server understood a request, and will not answer it."""


class _BusyError(Exception):
    """The server may answer if it is asked again."""


class Server:
    """A server and the connections to it, which are to be closed.

    Args:
        address: as in "http://127.0.0.1:8000/v1".
        timeout: seconds to wait for an answer. Whoever has kept silent for so long is not asked again.
        patience: seconds for which a server that is away or busy is asked again, at growing and random
            intervals.
        connections: requests that are under way at the same time.

    Raises:
        InputError: `address` is none, or has a password in it.
    """

    def __init__(self, address: str, timeout: float, patience: float, connections: int) -> None:
        if not re.match(ADDRESS, address):
            # What is wrong with it may be that there is a password in it.
            raise InputError(
                "server",
                expected="an address such as http://127.0.0.1:8000/v1",
                found=shown(re.sub(r"//.*@", "//…@", address)),
                remedy=f"a key belongs into the environment variable {KEY_VARIABLE}",
            )
        self.address = address.rstrip("/")
        self._timeout = timeout
        self._patience = patience
        self._key = os.environ.get(KEY_VARIABLE, "")
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx2.Timeout(timeout, connect=min(timeout, 30), pool=None),
            limits=httpx2.Limits(max_connections=connections),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The object with which the server answers a request: a GET, or where there is a body a POST.

        Raises:
            RefusedError: it refuses the request.
            InputError: it is away or busy for too long, answers nothing, or nonsense.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=0.5, max=30),
            stop=stop_after_delay(self._patience),
            before_sleep=before_sleep_log(logger, logging.INFO),
            reraise=True,
        )
        try:
            return await retrying(self._ask, path, body)
        except httpx2.TimeoutException as error:
            found = f"no answer within {self._timeout:g} seconds"
            raise self._failure(found, _KEPT) from error
        except (httpx2.HTTPError, _BusyError) as error:
            found = self._said(str(error) or type(error).__name__)
            raise self._failure(found, _KEPT) from error

    async def _ask(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        response = await self._client.request(method, f"{self.address}/{path}", json=body)
        status = response.status_code
        if status in _BUSY or status >= 500:
            raise _BusyError(f"status {status}")
        if status in (401, 403):
            remedy = f"set {KEY_VARIABLE} to a key for this server"
            raise RefusedError(
                self.address, expected="to be let in", found=f"status {status}", remedy=remedy
            )
        if not response.is_success:
            found = f"status {status} to {path}: {self._said(response.text)}"
            raise RefusedError(self.address, expected="an answer", found=found)
        try:
            answer = json.loads(response.text)
        except ValueError as error:
            raise self.nonsense(self._said(response.text)) from error
        if not isinstance(answer, dict):
            raise self.nonsense(self._said(response.text))
        return answer

    def nonsense(self, found: str) -> InputError:
        """The error that an answer is none of those which this kind of server gives."""
        return InputError(
            self.address,
            expected="an answer of an OpenAI-compatible server",
            found=found,
            remedy=_KEPT,
        )

    def _failure(self, found: str, remedy: str) -> InputError:
        return InputError(self.address, expected="an answer", found=found, remedy=remedy)

    def _said(self, text: str) -> str:
        """The beginning of the server's words, which may hold our key."""
        return shown(text.replace(self._key, "***") if self._key else text, 200)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx2.TimeoutException):
        return isinstance(error, httpx2.ConnectTimeout)
    return isinstance(error, (httpx2.TransportError, _BusyError))
