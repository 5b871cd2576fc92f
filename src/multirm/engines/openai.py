"""The engine that calls a server: any server with OpenAI's completions API.

With a server that supports token ids, as vLLM's does, one request per prompt returns everything. Any other server
gets text if it does not accept ids, its text is tokenized here, and for each watched token in it, another request
asks for the probabilities at that position.
"""

import asyncio
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from multirm.engines.base import Completed, Completion, Prompt, Request, Sampling, TokenCounts
from multirm.engines.limits import (
    configuration,
    context_length,
    end_tokens,
    generation_settings,
    settings_folder,
    token_limit,
)
from multirm.engines.server import RefusedError, Server
from multirm.engines.server_replies import Answer, Choice, Models, Usage, read
from multirm.engines.stops import completion_of, cut_at_stop
from multirm.errors import InputError, shown
from multirm.models.load import load_tokenizer
from multirm.running.randomness import item_seed

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_YIELDS = 1

# OpenAI's own server returns no more log-probabilities per position.
_N_LIKELIEST = 5

# Servers accept no more.
_MOST_STOPS = 4

# More than the difference of any two logits: a token with this bias is always drawn.
_FAVOUR = 100.0

_ROUNDING = 1e-4

_NOT_OPENAI = ("top_k", "min_p")

_TOKEN_IDS = {"return_token_ids": True, "return_tokens_as_token_ids": True}


class OpenaiEngine:
    """Implements `engines.base.Engine` over a server's completions.

    The server draws the samples, each with its own seed. They are not guaranteed to be reproducible, because the
    server's batches, and so its rounding, are unknown.
    """

    reproducible = False

    def __init__(
        self,
        model: str,
        server: str,
        timeout: float = 1800,
        patience: float = 120,
        concurrency: int = 64,
    ) -> None:
        """
        Args:
            model: folder or hub name of the model, to load its tokenizer. The server must serve the model under
                this name, or only one model.
            server: its address, without `/completions`.
            timeout: seconds to wait for the completions of a prompt.
            patience: seconds for which requests to a server that is down or busy are repeated.
            concurrency: maximum number of prompts in flight.

        Raises:
            InputError: there is no such server, model or tokenizer, or the server's answers cannot be used.
        """
        self._connection = (server, timeout, patience, concurrency)
        self._concurrency = concurrency
        self._tokenizer = load_tokenizer(model)
        folder = settings_folder(model)
        self._ends = end_tokens(generation_settings(folder), self._tokenizer)
        self._context = context_length(configuration(folder))
        self._in_ids, self._speaks_ids = True, False
        asyncio.run(self._meet(model))

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """See `engines.base.Engine`; yields about once a second.

        Raises:
            InputError: the server is down for too long or hangs, refuses a prompt, or returns an invalid answer; or
                there are stop strings, and the server returns no token ids.
        """
        self._check(request)
        sampling = request.sampling
        yield [
            Completed.without_room(prompt, sampling)
            for prompt in request.left
            if not self._limit(prompt, sampling)
        ]
        waiting = (prompt for prompt in request.left if self._limit(prompt, sampling))
        ready: list[Completed] = []
        server = Server(*self._connection)

        async def work() -> None:
            for prompt in waiting:
                ready.append(await self._complete(server, prompt, request))

        with asyncio.Runner() as runner:
            workers = [runner.get_loop().create_task(work()) for _ in range(self._concurrency)]
            try:
                while runner.run(_are_at_work(workers)):
                    yield ready.copy()
                    ready.clear()
                yield ready
                for worker in workers:
                    if worker.done():
                        worker.result()
            finally:
                runner.run(_stop(workers, server))

    def _check(self, request: Request) -> None:
        """Refuse stop strings, and warn of sampling options, that a server of plain text cannot be trusted with."""
        if self._speaks_ids:
            return
        address = self._connection[0]
        if request.stop:
            raise InputError(
                address,
                expected="a server that returns token ids, for stop strings",
                found="one that returns only text",
                remedy="use a server of vLLM, or another engine",
            )
        if any(getattr(request.sampling, name) for name in _NOT_OPENAI):
            logger.warning(
                "%s: whether it knows of %s is not known", address, " and ".join(_NOT_OPENAI)
            )

    def _limit(self, prompt: Prompt, sampling: Sampling) -> int:
        return token_limit(prompt, sampling, self._context)

    async def _meet(self, model: str) -> None:
        """Find the model's name on the server, and whether the server accepts and returns token ids."""
        async with aclosing(Server(*self._connection)) as server:
            listed = read(Models, await server.ask("models"), server).data
            served = {entry.id: entry.max_model_len for entry in listed}
            if model not in served and len(served) != 1:
                raise InputError(
                    server.address,
                    expected=f"{model}, or one model alone",
                    found=server.masked(", ".join(served)) or "none",
                )
            self._name = model if model in served else next(iter(served))
            self._context = served[self._name] or self._context
            some = self._ends[:1]
            for self._in_ids, extras in ((True, _TOKEN_IDS), (True, {}), (False, {})):
                try:
                    asked = {"prompt": self._words(some), "max_tokens": 1, **extras}
                    answer = await self._ask(server, {**asked, "temperature": 0.0}, 1)
                    break
                except RefusedError:
                    if not self._in_ids:
                        raise
            self._speaks_ids = bool(extras) and answer.choices[0].token_ids is not None
            if self._speaks_ids:
                # Refuses servers that return probabilities after sampling: the only allowed token would have 1.
                await self._look(server, some, (0, 1), {})

    async def _complete(self, server: Server, prompt: Prompt, request: Request) -> Completed:
        sampling = request.sampling
        # Greedy samples are identical, and some servers refuse to return several.
        n = 1 if sampling.temperature == 0 else sampling.n
        answer = await self._ask(server, self._body(prompt, request, n), n)
        completions = [
            await self._completion(server, prompt, choice, request) for choice in answer.choices
        ]
        usage = answer.usage or Usage()
        generated = usage.completion_tokens
        if self._speaks_ids:
            generated = sum(one.n_drawn for one in completions)
        tokens = TokenCounts(usage.computed, usage.cached, generated)
        return Completed(prompt, completions * (sampling.n // n), tokens)

    def _body(self, prompt: Prompt, request: Request, n: int) -> dict[str, Any]:
        """The body of the HTTP request for `n` samples of a prompt."""
        sampling = request.sampling
        body = {
            "prompt": self._words(prompt.ids),
            "n": n,
            "max_tokens": self._limit(prompt, sampling),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": item_seed(request.seed, *prompt.key, sampling.first) % 2**31,
            **{name: value for name in _NOT_OPENAI if (value := getattr(sampling, name))},
        }
        if self._speaks_ids:
            # All options, because the model's own settings are the server's defaults.
            body |= {"top_k": sampling.top_k, "min_p": sampling.min_p, "repetition_penalty": 1.0}
            body |= {"stop_token_ids": self._ends, **_TOKEN_IDS}
            if request.stop:
                # The text is searched for all of them here; what the server finds saves tokens.
                body |= {"stop": request.stop[:_MOST_STOPS], "skip_special_tokens": False}
                body |= {"include_stop_str_in_output": True}
            if request.watch:
                tokens = sorted(set(request.watch))
                body |= {"logprobs": len(tokens), "logprob_token_ids": tokens}
        return body

    async def _completion(
        self, server: Server, prompt: Prompt, choice: Choice, request: Request
    ) -> Completion:
        truncated = choice.finish_reason == "length"
        ids, ended = choice.token_ids, truncated
        if ids is None:
            ids = self._tokenizer.encode(choice.text, add_special_tokens=False)
        elif not truncated and ids and ids[-1] in self._ends:
            ids, ended = ids[:-1], True
        ids = cut_at_stop(self._tokenizer, ids, request.stop)
        watched = {}
        for place, drawn in enumerate(ids):
            if drawn in request.watch:
                before = [*prompt.ids, *ids[:place]]
                watched[place] = await self._look(
                    server, before, request.watch, choice.likeliest(place)
                )
        if choice.token_ids is None:
            return Completion(ids, choice.text, watched, truncated)
        completion = completion_of(self._tokenizer, ids, request.stop, watched, truncated)
        if request.stop and completion.stop is None and not ended:
            raise server.nonsense("a text without an end token or a stop string at its end")
        return completion

    async def _look(
        self, server: Server, before: list[int], watch: Sequence[int], told: Mapping[str, float]
    ) -> tuple[float, ...]:
        """The log-probabilities of the watched tokens after some ids; asks the server for those not in `told`."""
        names = {token: self._name_of(token) for token in watch}
        known = {names[token]: told[names[token]] for token in watch if names[token] in told}
        asked = {"prompt": self._words(before), "max_tokens": 1, "temperature": 1.0}
        asked["logprobs"] = _N_LIKELIEST
        if not self._speaks_ids and len(known) < len(names):
            answer = await self._ask(server, asked, 1)
            known = {**answer.choices[0].likeliest(0), **known}
        for token, name in names.items():
            if name not in known:
                favoured = (
                    {"allowed_token_ids": [token], **_TOKEN_IDS}
                    if self._speaks_ids
                    else {"logit_bias": {str(token): _FAVOUR}}
                )
                answer = await self._ask(server, {**asked, **favoured}, 1)
                likeliest = answer.choices[0].likeliest(0)
                if name not in likeliest:
                    raise server.nonsense(f"no probability of the token {shown(name)}")
                known[name] = likeliest[name]
        found = tuple(known[names[token]] for token in watch)
        if sum(map(math.exp, found)) > 1 + _ROUNDING:
            raise InputError(
                server.address,
                expected="the model's own probabilities",
                found="those that sampling left over",
                remedy="start a server of vLLM with --logprobs-mode raw_logprobs",
            )
        return found

    async def _ask(self, server: Server, body: dict[str, Any], n: int) -> Answer:
        said = await server.ask("completions", {"model": self._name, **body})
        answer = read(Answer, said, server)
        if len(answer.choices) != n:
            raise server.nonsense(f"{len(answer.choices)} choices where {n} were asked for")
        if self._speaks_ids and any(choice.token_ids is None for choice in answer.choices):
            raise server.nonsense("a choice without token_ids")
        return answer

    def _words(self, ids: list[int]) -> list[int] | str:
        """A prompt in the form that the server accepts: ids, or text that it tokenizes to these ids."""
        if self._in_ids:
            return ids
        whole, rest = self._tokenizer.decode(ids), self._tokenizer.decode(ids[1:])
        # Servers prepend the beginning-of-sequence token.
        return rest if self._tokenizer.encode(rest) == ids else whole

    def _name_of(self, token: int) -> str:
        return f"token_id:{token}" if self._speaks_ids else self._tokenizer.decode([token])


async def _are_at_work(workers: list[asyncio.Task[None]]) -> bool:
    """Let the workers run for a while. Returns whether none has failed and some are not finished."""
    finished, at_work = await asyncio.wait(
        workers, timeout=SECONDS_BETWEEN_YIELDS, return_when=asyncio.FIRST_EXCEPTION
    )
    return bool(at_work) and not any(worker.exception() for worker in finished)


async def _stop(workers: list[asyncio.Task[None]], server: Server) -> None:
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    await server.aclose()
