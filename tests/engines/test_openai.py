"""The engine against a real server of vLLM, against the same behind a narrower interface, and against nonsense."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.openai import OpenaiEngine
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models.load import load_model, load_tokenizer
from tests.engines.conftest import (
    KEY,
    Answer,
    Running,
    assert_same,
    by_key,
    completed_by_key,
)

GREEDY = Sampling(2, 60, temperature=0)
Serve = Callable[[Answer], str]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture(scope="module")
def reference(sure_model: Path) -> TransformersEngine:
    return TransformersEngine(load_model(str(sure_model)), load_tokenizer(str(sure_model)))


def test_samples_differ_and_so_do_rounds(
    running: Running, sure_model: Path, prompts: list[Prompt]
) -> None:
    engine = OpenaiEngine(str(sure_model), running.address)
    one = by_key(engine, prompts, Sampling(3, 30, temperature=1.0))
    two = by_key(engine, prompts, Sampling(3, 30, temperature=1.0, first=3))
    kinds = [len({tuple(c.ids) for c in [*one[key], *two[key]]}) for key in one]
    assert max(kinds) == 6
    assert sum(kinds) > 3 * len(kinds)


def test_what_is_left_out_is_never_drawn(
    running: Running, sure_model: Path, prompts: list[Prompt]
) -> None:
    engine = OpenaiEngine(str(sure_model), running.address)
    narrow = by_key(engine, prompts[:4], Sampling(2, 30, temperature=1.0, top_k=1))
    for first, second in narrow.values():
        assert first.ids == second.ids


@pytest.mark.parametrize("takes_ids", [True, False])
def test_a_server_that_speaks_no_ids_is_asked_for_probabilities(
    running: Running,
    answering: Serve,
    sure_model: Path,
    reference: TransformersEngine,
    prompts: list[Prompt],
    watch: tuple[int, int],
    takes_ids: bool,
) -> None:
    engine = OpenaiEngine(str(sure_model), answering(narrowed(running.address, takes_ids)))
    tokenizer = load_tokenizer(str(sure_model))
    expected = {
        key: sampled
        for key, sampled in by_key(reference, prompts, GREEDY, watch).items()
        if tokenizer.encode(sampled[0].text, add_special_tokens=False) == sampled[0].ids
    }
    assert any(one.watched for sampled in expected.values() for one in sampled)
    asked = [
        prompt
        for prompt in prompts
        if prompt.key in expected and tokenizer.encode(tokenizer.decode(prompt.ids)) == prompt.ids
    ]
    assert len(asked) > 3
    found = by_key(engine, asked, GREEDY, watch)
    assert_same(found, {prompt.key: expected[prompt.key] for prompt in asked})


def narrowed(address: str, takes_ids: bool) -> Answer:
    """What a server with nothing but OpenAI's own fields makes of the answers of one that has more."""
    known = {"model", "prompt", "n", "max_tokens", "temperature", "top_p", "seed", "logprobs"}
    known |= {"logit_bias", "headers"}

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if not takes_ids and isinstance(body.get("prompt"), list):
            return 422, b"prompt: expected a string"
        if not body.keys() <= known:
            return 400, b"unknown fields"
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        del body["headers"]
        data = json.dumps(body).encode() if body else None
        url = address.removesuffix("/v1") + path
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
                answer = json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        for choice in answer.get("choices", []):
            del choice["token_ids"]
        return 200, json.dumps(answer).encode()

    return answer


def test_a_key_that_does_not_fit_is_said_so(
    running: Running, sure_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(InputError, match="expected to be let in, found status 401") as caught:
        OpenaiEngine(str(sure_model), running.address)
    assert "wrong" not in str(caught.value)


def model_server(answer: Answer) -> Answer:
    """A server that serves one model, and answers requests for completions by a function."""

    def whole(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        return (200, b'{"data": [{"id": "m"}]}') if path == "/v1/models" else answer(path, body)

    return whole


def choices(*choices: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps({"choices": list(choices)}).encode()


SAID = {"text": "R", "finish_reason": "length"}


def sane(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Draws the token that is allowed, or else 50, with a probability of a third."""
    token = body.get("allowed_token_ids", [50])[0]
    choice = {
        **SAID,
        "token_ids": [token],
        "logprobs": {"top_logprobs": [{f"token_id:{token}": -1.1}]},
    }
    return choices(*[choice] * body.get("n", 1))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"Hello!"), "found 'Hello!'"),
        ((200, b"{}"), "found choices: Field required"),
        (choices({}), "found choices.0.text: Field required"),
        (choices({"text": "", "finish_reason": "abort"}), "found choices.0.finish_reason: Input"),
        (choices({"text": 5, "finish_reason": "stop"}), "found choices.0.text: Input should be a"),
        (choices(*[{"text": "", "finish_reason": "stop"}] * 3), "found 3 choices where 2 were"),
        (choices(*[{"text": "", "finish_reason": "stop"}] * 2), "found a choice without token_ids"),
        (choices(*[{**SAID, "token_ids": [10**30]}] * 2), "token_ids.0: Input should be less"),
        (choices(*[{**SAID, "token_ids": [-1]}] * 2), "token_ids.0: Input should be greater"),
        (choices(*[{**SAID, "token_ids": [1.5]}] * 2), "token_ids.0: Input should be a valid int"),
        ((400, b"too long"), "found status 400 to completions: 'too long'"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    answering: Serve, sure_model: Path, answer: tuple[int, bytes], message: str
) -> None:
    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        return sane(path, body) if body["max_tokens"] == 1 else answer

    address = answering(model_server(server))
    engine = OpenaiEngine(str(sure_model), address, patience=1)
    with pytest.raises(InputError) as caught:
        by_key(engine, [Prompt(("a",), [50])], Sampling(2, 7, temperature=1.0))
    assert str(caught.value).startswith(f"{address}: expected an answer")
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "null", "5", "1e308"])
def test_a_probability_that_is_none_is_nonsense(
    answering: Serve, sure_model: Path, value: str
) -> None:
    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        status, content = sane(path, body)
        return status, content if body["max_tokens"] == 1 else content.replace(
            b"-1.1", value.encode()
        )

    engine = OpenaiEngine(str(sure_model), answering(model_server(server)))
    with pytest.raises(
        InputError, match=r"found choices\.0\.logprobs\.top_logprobs\.0\.token_id:50"
    ):
        by_key(engine, [Prompt(("a",), [50])], Sampling(1, 7), watch=(50,))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("\\ud83d\\ude42", "🙂"), ("a\\ud83d", "a\ufffd"), ("\\udc00b", "\ufffdb")],
)
def test_halves_of_letters_are_put_together_or_unknown(
    answering: Serve, sure_model: Path, sent: str, expected: str
) -> None:
    """Of a server that speaks no ids, whose texts are tokenized here."""

    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        status, content = choices({"text": "TEXT", "finish_reason": "stop"})
        return status, content.replace(b"TEXT", sent.encode())

    engine = OpenaiEngine(str(sure_model), answering(model_server(server)))
    ((one,),) = by_key(engine, [Prompt(("a",), [50])], Sampling(1, 7)).values()
    assert one.text == expected
    assert load_tokenizer(str(sure_model)).decode(one.ids) == expected


@pytest.mark.parametrize("speaks_ids", [True, False])
def test_what_openai_does_not_know_is_sent_and_said(
    answering: Serve, sure_model: Path, caplog: pytest.LogCaptureFixture, speaks_ids: bool
) -> None:
    asked = []

    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        asked.append(body)
        return sane(path, body) if speaks_ids else choices(*[SAID] * body.get("n", 1))

    engine = OpenaiEngine(str(sure_model), answering(model_server(server)))
    by_key(engine, [Prompt(("a",), [50])], Sampling(1, 7, top_p=0.5))
    assert "is not known" not in caplog.text
    by_key(engine, [Prompt(("a",), [50])], Sampling(1, 7, top_p=0.5, top_k=3, min_p=0.1))
    assert {"top_p": 0.5, "top_k": 3, "min_p": 0.1}.items() <= asked[-1].items()
    assert ("whether it knows of top_k and min_p is not known" in caplog.text) != speaks_ids


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, (None, None, None)),
        ({"prompt_tokens": 9, "completion_tokens": 2}, (None, None, 2)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}, (5, 4, None)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, (None, None, None)),
        # What makes no sense is not known; the answer counts all the same.
        ({"prompt_tokens": -1, "completion_tokens": "n/a"}, (None, None, None)),
        ({"prompt_tokens": 9, "prompt_tokens_details": []}, (None, None, None)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 15}}, (None, 15, None)),
        ("none", (None, None, None)),
    ],
)
def test_token_counts_are_what_the_server_tells(
    answering: Serve, sure_model: Path, usage: object, counts: tuple[int | None, ...]
) -> None:
    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        return 200, json.dumps({"choices": [SAID] * body.get("n", 1), "usage": usage}).encode()

    engine = OpenaiEngine(str(sure_model), answering(model_server(server)))
    request = Request([Prompt(("a",), [50])], Sampling(2, 7), 0)
    tokens = completed_by_key(engine, request)[("a",)].tokens
    assert (tokens.computed, tokens.cached, tokens.generated) == counts


def test_stop_strings_need_token_ids(answering: Serve, sure_model: Path) -> None:
    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        return choices(*[SAID] * body.get("n", 1))

    address = answering(model_server(server))
    engine = OpenaiEngine(str(sure_model), address)
    with pytest.raises(InputError, match=f"^{address}: expected a server that returns token ids"):
        list(engine.generate(Request([Prompt(("a",), [50])], Sampling(1, 7), 0, stop=("\n",))))


def test_a_text_that_ends_for_no_reason_is_nonsense(answering: Serve, sure_model: Path) -> None:
    asked = []

    def server(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        asked.append(body)
        status, content = sane(path, body)
        return status, content.replace(b"length", b"stop")

    engine = OpenaiEngine(str(sure_model), answering(model_server(server)))
    prompts, sampling = [Prompt(("a",), [50])], Sampling(1, 7)
    found = completed_by_key(engine, Request(prompts, sampling, 0, stop=("O", "x")))[("a",)]
    assert (found.completions[0].text, found.completions[0].stop) == ("", "O")
    assert asked[-1]["stop"] == ["O", "x"] and asked[-1]["include_stop_str_in_output"]
    with pytest.raises(InputError, match="found a text without an end token or a stop string"):
        list(engine.generate(Request(prompts, sampling, 0, stop=tuple("abcdefg"))))
    assert asked[-1]["stop"] == list("abcd")


@pytest.mark.parametrize("length", [0, -5, 10**30])
def test_a_context_that_is_none_is_nonsense(
    answering: Serve, sure_model: Path, length: int
) -> None:
    models = json.dumps({"data": [{"id": "m", "max_model_len": length}]}).encode()
    with pytest.raises(InputError, match=r"found data\.0\.max_model_len: Input should be"):
        OpenaiEngine(str(sure_model), answering(lambda path, body: (200, models)))


def test_probabilities_of_what_sampling_left_over_are_refused(
    answering: Serve, sure_model: Path
) -> None:
    def processed(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        status, content = sane(path, body)
        return status, content.replace(b"-1.1", b"0.0")

    with pytest.raises(InputError, match=r"the model's own probabilities.*raw_logprobs"):
        OpenaiEngine(str(sure_model), answering(model_server(processed)))


def test_a_server_with_other_models_is_refused(answering: Serve, sure_model: Path) -> None:
    address = answering(lambda path, body: (200, b'{"data": [{"id": "one"}, {"id": "two"}]}'))
    with pytest.raises(InputError, match=r"or one model alone, found one, two$"):
        OpenaiEngine(str(sure_model), address)


def test_an_engine_without_its_server_is_refused(sure_model: Path) -> None:
    with pytest.raises(InputError, match="found openai without one"):
        load_engine(EngineName.OPENAI, str(sure_model))
    with pytest.raises(InputError, match="found transformers with one"):
        load_engine(EngineName.TRANSFORMERS, str(sure_model), "http://127.0.0.1:1/v1")


def test_a_server_that_hangs_leaves_what_was_finished(answering: Serve, sure_model: Path) -> None:
    def hangs_at_five(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if body["prompt"] == [5]:
            time.sleep(4)
        return sane(path, body)

    address = answering(model_server(hangs_at_five))
    engine = OpenaiEngine(str(sure_model), address, timeout=2, concurrency=2)
    prompts = [Prompt((n,), [n]) for n in range(4, 30)]
    finished = []
    with pytest.raises(InputError, match="found no answer within 2 seconds"):
        for portion in engine.generate(Request(prompts, Sampling(1, 3), 0)):
            finished += [completed.prompt.key for completed in portion]
    assert sorted(finished) == [(n,) for n in range(4, 30) if n != 5]


def test_a_server_that_is_killed_leaves_what_was_finished(
    running: Running, sure_model: Path, reference: TransformersEngine, prompts: list[Prompt]
) -> None:
    engine = OpenaiEngine(str(sure_model), running.address, patience=3, concurrency=1)
    sampling = Sampling(1, 150, temperature=0)
    many = [Prompt((*prompt.key, n), prompt.ids) for n in range(50) for prompt in prompts]
    finished = {}
    with pytest.raises(InputError, match=f"^{running.address}: expected an answer, found "):
        for portion in engine.generate(Request(many, sampling, 0)):
            finished |= {completed.prompt.key: completed.completions for completed in portion}
            if finished and running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait()
    assert 0 < len(finished) < len(many)
    done = [prompt for prompt in many if prompt.key in finished]
    assert_same(finished, by_key(reference, done, sampling))
