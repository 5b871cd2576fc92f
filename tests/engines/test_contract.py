"""What all engines promise: each is asked for the same, and held against plain calls of the network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.base import Completed, Completion, Key, Prompt, Request, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.stops import decode
from multirm.models.load import load_model, load_tokenizer
from tests.engines.conftest import (
    CONTEXT,
    KEY,
    Running,
    assert_same,
    completed_by_key,
    generate_in_vllm,
)

LENGTH = 60
GREEDY = Sampling(2, LENGTH, temperature=0)
DRAWN = Sampling(3, 40, temperature=0.9)
NARROWED = Sampling(2, 40, temperature=0.9, top_p=0.9, top_k=20, min_p=0.02, first=1)
SEED = 5
# Of what the model says: a part of a word, or of two. More of them than a server takes.
STOPS = ("never said", "orrec", "rrec", "eprr:", "d@", "5tep", "Ths")
FULL = (CONTEXT - 4, CONTEXT - 1, CONTEXT, CONTEXT + 9)

# Not so of a server, which has random numbers of its own.
REPRODUCIBLE = (EngineName.TRANSFORMERS, EngineName.VLLM)

# Batch services return neither ids nor probabilities: `test_batch` is about them.
ASKED = (*REPRODUCIBLE, EngineName.OPENAI)

Found = dict[str, dict[Key, Completed]]


@pytest.fixture(scope="module")
def model(sure_model: Path) -> PreTrainedModel:
    return load_model(str(sure_model))


@pytest.fixture(scope="module")
def tokenizer(sure_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(sure_model))


@pytest.fixture(scope="module")
def likeliest(model: PreTrainedModel, prompts: list[Prompt]) -> dict[Key, Completion]:
    """What transformers itself says at temperature 0, without its text."""
    found = {}
    for prompt in prompts:
        ids = torch.tensor([prompt.ids])
        said = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LENGTH
        )[0, len(prompt.ids) :].tolist()
        truncated = said[-1] not in model.generation_config.eos_token_id
        found[prompt.key] = Completion(said if truncated else said[:-1], "", {}, truncated)
    return found


@pytest.fixture(scope="module")
def stopped(
    tokenizer: PreTrainedTokenizerBase, likeliest: dict[Key, Completion]
) -> dict[Key, Completion]:
    """Where that ends at a stop string, by the definition, letter by letter."""
    return {key: stopped_at(tokenizer, one) for key, one in likeliest.items()}


def stopped_at(tokenizer: PreTrainedTokenizerBase, whole: Completion) -> Completion:
    text = decode(tokenizer, whole.ids)
    for end in range(1, len(text) + 1):
        ending = [stop for stop in STOPS if text[:end].endswith(stop)]
        if ending:
            stop = max(ending, key=len)
            lengths = [len(decode(tokenizer, whole.ids[:n])) for n in range(len(whole.ids) + 1)]
            n = next(n for n, length in enumerate(lengths) if length >= end)
            rest = text[end : lengths[n]]
            return Completion(whole.ids[:n], text[: end - len(stop)], {}, False, stop, rest)
    return replace(whole, text=text)


@pytest.fixture(scope="module")
def requests(
    prompts: list[Prompt],
    watch: tuple[int, int],
    likeliest: dict[Key, Completion],
    stopped: dict[Key, Completion],
) -> dict[str, Request]:
    """All that the tests are about: what takes long is to start an engine."""
    begun = [
        Prompt(("begun", *prompt.key), [*prompt.ids, *likeliest[prompt.key].ids[:17]])
        for prompt in prompts
        if len(likeliest[prompt.key].ids) > 17
    ]
    behind = [
        Prompt(("behind", *prompt.key), [*prompt.ids, *stopped[prompt.key].ids])
        for prompt in prompts
        if stopped[prompt.key].stop
    ]
    full = [Prompt((n,), [50] * n) for n in FULL]
    one = replace(GREEDY, n=1)
    drawn = Request(prompts, DRAWN, SEED, watch)
    return {
        "greedy": Request(prompts, GREEDY, SEED, watch),
        "again": Request(prompts, one, SEED),
        "stopped": Request(prompts, one, SEED, watch, STOPS),
        "begun": Request(begun, one, SEED),
        "behind": Request(behind, one, SEED),
        "drawn": drawn,
        "drawn to a stop": replace(drawn, stop=STOPS),
        "narrowed": Request(prompts, NARROWED, SEED),
        "later": replace(drawn, sampling=replace(DRAWN, n=2, first=1)),
        "part": replace(drawn, prompts=prompts[::-3]),
        "resumed": replace(drawn, done=[prompt.key for prompt in prompts[:9]]),
        "of another seed": replace(drawn, seed=SEED + 1),
        "full": Request(full, Sampling(2, 6, temperature=0), SEED, stop=("never said",)),
    }


@pytest.fixture(scope="module")
def found_by(
    requests: dict[str, Request],
    sure_model: Path,
    vllm_python: Path,
    server_that_runs: Callable[[], Running],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[EngineName], Found]:
    """What an engine makes of each request, by its name."""
    known: dict[EngineName, Found] = {}

    def ask(name: EngineName) -> Found:
        if name is EngineName.VLLM:
            folder = tmp_path_factory.mktemp("vllm")
            answers = generate_in_vllm(vllm_python, sure_model, folder, [*requests.values()])
            return dict(zip(requests, answers, strict=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", KEY)
            server = server_that_runs().address if name is EngineName.OPENAI else None
            engine = load_engine(name, str(sure_model), server)
            assert engine.reproducible == (name in REPRODUCIBLE)
            return {of: completed_by_key(engine, request) for of, request in requests.items()}

    def find(name: EngineName) -> Found:
        if name not in known:
            known[name] = ask(name)
        return known[name]

    return find


@pytest.fixture(params=ASKED)
def engine(request: pytest.FixtureRequest) -> EngineName:
    return request.param


@pytest.fixture
def found(engine: EngineName, found_by: Callable[[EngineName], Found]) -> Found:
    return found_by(engine)


def ids_of(completed: Completed) -> list[list[int]]:
    return [one.ids for one in completed.completions]


def said(found: dict[Key, Completed]) -> dict[Key, list[Completion]]:
    return {key: completed.completions for key, completed in found.items()}


def test_greedy_texts_are_those_of_transformers(
    found: Found, likeliest: dict[Key, Completion], tokenizer: PreTrainedTokenizerBase
) -> None:
    assert found["greedy"].keys() == likeliest.keys()
    for key, expected in likeliest.items():
        for one in found["greedy"][key].completions:
            assert (one.ids, one.truncated) == (expected.ids, expected.truncated)
            assert (one.text, one.stop, one.rest) == (decode(tokenizer, one.ids), None, "")
    assert {one.truncated for one in likeliest.values()} == {True, False}


@pytest.mark.parametrize("name", ["greedy", "stopped", "drawn", "drawn to a stop"])
def test_watched_are_the_log_probabilities_of_a_full_forward_pass(
    found: Found, model: PreTrainedModel, watch: tuple[int, int], name: str
) -> None:
    n_watched = 0
    for completed in found[name].values():
        for one in completed.completions:
            drawn = [k for k, token in enumerate(one.ids) if token in watch]
            assert sorted(one.watched) == drawn
            if drawn:
                ids = torch.tensor([[*completed.prompt.ids, *one.ids]])
                with torch.no_grad():
                    logits = model(ids).logits[0, len(completed.prompt.ids) - 1 : -1]
                expected = logits.log_softmax(dim=-1)[:, list(watch)]
                for place in drawn:
                    np.testing.assert_allclose(one.watched[place], expected[place], atol=1e-3)
            n_watched += len(drawn)
    assert n_watched > 0


def test_a_text_ends_with_its_first_stop_string(
    found: Found, stopped: dict[Key, Completion]
) -> None:
    for key, expected in stopped.items():
        (one,) = found["stopped"][key].completions
        assert replace(one, watched={}) == expected
    assert len({one.stop for one in stopped.values()}) > 3
    assert {bool(one.rest) for one in stopped.values()} == {True, False}


def test_samples_end_so_too(found: Found, tokenizer: PreTrainedTokenizerBase) -> None:
    ends = set()
    for completed in found["drawn to a stop"].values():
        assert len(completed.completions) == DRAWN.n
        for one in completed.completions:
            whole = Completion(one.ids, "", one.watched, one.truncated)
            assert one == replace(stopped_at(tokenizer, whole), watched=one.watched)
            assert one.truncated <= (len(one.ids) == DRAWN.max_tokens)
            ends.add((one.stop is None, one.truncated))
    assert len(ends) > 1


def test_what_was_begun_goes_on_as_if_it_had_not_stopped(
    found: Found, likeliest: dict[Key, Completion], stopped: dict[Key, Completion]
) -> None:
    """Behind a stop string inside a token, too: the whole token was said."""
    for name in ("begun", "behind"):
        assert len(found[name]) > 5
        for key, completed in found[name].items():
            whole = likeliest[key[1:]].ids
            n_before = 17 if name == "begun" else len(stopped[key[1:]].ids)
            (ids,) = ids_of(completed)
            shared = min(len(ids), len(whole) - n_before)
            assert ids[:shared] == whole[n_before:][:shared]
            assert shared == len(whole) - n_before or likeliest[key[1:]].truncated is False


def test_tokens_are_counted(engine: EngineName, found: Found, requests: dict[str, Request]) -> None:
    for name, request in requests.items():
        for completed in found[name].values():
            tokens, n_prompt = completed.tokens, len(completed.prompt.ids)
            drawn = [one.n_drawn for one in completed.completions]
            if n_prompt >= CONTEXT:
                assert (tokens.computed, tokens.cached, tokens.generated) == (0, 0, 0)
                continue
            assert tokens.computed is not None and tokens.cached is not None
            # None of a prompt that another one of its batch begins with.
            assert tokens.computed >= 0
            prefills = request.sampling.n if engine is EngineName.VLLM else 1
            assert tokens.computed + tokens.cached == prefills * n_prompt
            once = engine is EngineName.OPENAI and request.sampling.temperature == 0
            assert tokens.generated == (drawn[0] if once else sum(drawn))
        assert sum(completed.tokens.computed or 0 for completed in found[name].values()) > 0
    cached = sum(completed.tokens.cached or 0 for completed in found["again"].values())
    assert cached > 0


def test_what_is_done_is_left_out(found: Found, prompts: list[Prompt], engine: EngineName) -> None:
    left = {prompt.key for prompt in prompts[9:]}
    assert found["resumed"].keys() == left
    if engine in REPRODUCIBLE:
        expected = {key: found["drawn"][key].completions for key in left}
        assert_same(said(found["resumed"]), expected, tolerance=1e-4)


def test_samples_and_seeds_differ(found: Found) -> None:
    drawn = {key: ids_of(completed) for key, completed in found["drawn"].items()}
    assert sum(len(set(map(tuple, ids))) > 1 for ids in drawn.values()) > len(drawn) / 2
    others = {key: ids_of(completed) for key, completed in found["of another seed"].items()}
    assert sum(others[key] != ids for key, ids in drawn.items()) > len(drawn) / 2


@pytest.mark.parametrize("engine", REPRODUCIBLE, indirect=False)
def test_a_sample_is_the_items_own(engine: EngineName, found_by: Callable[..., Found]) -> None:
    """Whatever is drawn beside it, in whatever order, and in whichever engine."""
    found, expected = found_by(engine), found_by(EngineName.TRANSFORMERS)
    for name in ("drawn", "drawn to a stop", "narrowed"):
        assert_same(said(found[name]), said(expected[name]))
    drawn = said(found["drawn"])
    later = {key: completions[1:] for key, completions in drawn.items()}
    assert_same(said(found["later"]), later, tolerance=1e-4)
    part = {key: drawn[key] for key in found["part"]}
    assert_same(said(found["part"]), part, tolerance=1e-4)
    assert 0 < len(part) < len(drawn)


def test_a_full_context_truncates(found: Found) -> None:
    lengths = {n: [len(ids) for ids in ids_of(found["full"][(n,)])] for n in FULL}
    assert lengths[CONTEXT] == lengths[CONTEXT + 9] == [0, 0]
    assert max(lengths[CONTEXT - 1]) <= 1 and max(lengths[CONTEXT - 4]) <= 4
    for n in FULL:
        for one in found["full"][(n,)].completions:
            assert one.truncated or len(one.ids) < CONTEXT - n
