"""Prompts that continue earlier ones get the same samples, at the cost of their new tokens alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    StableLmConfig,
    StableLmForCausalLM,
    set_seed,
)

from multirm.engines.base import Completed, Prompt, Request, Sampling
from multirm.engines.transformers import TransformersEngine
from multirm.models.load import load_tokenizer

SHAPE = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "eos_token_id": 1,
}
SLIDING = {"sliding_window": 7, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {}),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig, SLIDING),
    # With a soft cap, which packs do not have.
    "gemma2": (Gemma2ForCausalLM, Gemma2Config, SLIDING),
}
WATCH = tuple(range(80, 120))
# Single letters end steps.
STOP = ("a", "e", "i", "o", "u", "n", "t")


def random_model(family: str) -> PreTrainedModel:
    kind, config, settings = FAMILIES[family]
    set_seed(0)
    model = kind(config(**SHAPE, **settings)).eval()
    with torch.no_grad():
        # A copy, since some families share it with the embeddings; surer of itself, so that texts differ.
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight * 40)
    return model


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Callable[..., TransformersEngine]:
    tokenizer = load_tokenizer(str(tiny_model))
    return lambda family, batch_tokens=65536: TransformersEngine(
        random_model(family), tokenizer, batch_tokens
    )


def begun(n: int) -> list[Prompt]:
    generator = np.random.default_rng(0)
    return [
        Prompt((k,), generator.integers(4, 250, generator.integers(5, 40)).tolist())
        for k in range(n)
    ]


def ask(engine: TransformersEngine, request: Request) -> dict[tuple[str | int, ...], Completed]:
    return {one.prompt.key: one for some in engine.generate(request) for one in some}


def following(completed: dict[tuple[str | int, ...], Completed]) -> list[Prompt]:
    """Prompts that go on after completions that ended at a stop string."""
    return [
        Prompt((*key, number), [*each.prompt.ids, *one.ids])
        for key, each in completed.items()
        for number, one in enumerate(each.completions)
        if one.stop
    ][:8]


def likeliest(model: PreTrainedModel, prompt: Prompt) -> list[int]:
    """The tokens that transformers continues a prompt with, at most twelve, without the one that ends texts."""
    ids = torch.tensor([prompt.ids])
    mask = torch.ones_like(ids)
    text = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=12)[0]
    return [token for token in text[len(prompt.ids) :].tolist() if token != SHAPE["eos_token_id"]]


# With other names of layers, an attention that cannot be packed, and none at all.
SMALL = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "eos_token_id": 1}
OTHERS = {
    "gpt2": (GPT2LMHeadModel, GPT2Config(**SMALL, n_head=4)),
    "stablelm": (StableLmForCausalLM, StableLmConfig(**SHAPE)),
    "mamba": (MambaForCausalLM, MambaConfig(**SMALL)),
}


@pytest.mark.parametrize("family", OTHERS)
def test_any_causal_model_decodes_as_transformers_does(family: str, tiny_model: Path) -> None:
    kind, config = OTHERS[family]
    set_seed(0)
    model = kind(config).eval()
    # Alike at first, so that what can be shared is.
    prompts = [Prompt((k,), [*range(4, 80), *prompt.ids]) for k, prompt in enumerate(begun(3))]
    expected = [likeliest(model, prompt) for prompt in prompts]
    engine = TransformersEngine(model, load_tokenizer(str(tiny_model)))
    found = ask(engine, Request(prompts, Sampling(1, 12, temperature=0), 0))
    for prompt, ids in zip(prompts, expected, strict=True):
        [written] = found[prompt.key].completions
        assert written.ids == ids


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_texts_are_those_of_transformers(
    engine: Callable[..., TransformersEngine], family: str
) -> None:
    found = ask(engine(family), Request(begun(5), Sampling(1, 12, temperature=0), 0))
    model = random_model(family)
    for prompt in begun(5):
        [written] = found[prompt.key].completions
        assert written.ids == likeliest(model, prompt)


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_are_those_without_a_cache_and_only_new_tokens_are_computed(
    engine: Callable[..., TransformersEngine], family: str
) -> None:
    known, plain = engine(family), engine(family)
    # In padded batches.
    plain._reads_on = False
    prompts = begun(5)
    for level in range(4):
        request = Request(prompts, Sampling(3, 12, 1.0), 0, WATCH, STOP)
        found, expected = ask(known, replace(request, is_continued=True)), ask(plain, request)
        assert found.keys() == expected.keys()
        for key, each in found.items():
            other = expected[key]
            assert [one.ids for one in each.completions] == [one.ids for one in other.completions]
            for one, two in zip(each.completions, other.completions, strict=True):
                assert list(one.watched) == list(two.watched)
                for place, seen in one.watched.items():
                    np.testing.assert_allclose(seen, two.watched[place], atol=1e-4)
            assert each.tokens.cached == len(each.prompt.ids) - each.tokens.computed
        # The last token of each was drawn, and not read yet.
        texts = {tuple(prompt.ids) for prompt in prompts}
        is_new = family == "gemma2" or level == 0
        n_new = sum(len(prompt.ids) for prompt in prompts) if is_new else len(texts)
        assert sum(each.tokens.computed for each in found.values()) == n_new
        prompts = following(found)
        assert len(prompts) > 2


def test_parts_and_equal_or_older_prompts_are_read_once(
    engine: Callable[..., TransformersEngine],
) -> None:
    one, *others = begun(3)
    same, first = Prompt(("same",), one.ids), Prompt(("first",), one.ids[:4])
    request = Request([one, same, *others, first], Sampling(6, 12, 1.0), 0, WATCH, STOP)
    # Two samples of a prompt at a time.
    parted = engine("llama", 100)
    found = ask(parted, replace(request, is_continued=True))
    expected = ask(engine("llama"), request)
    for key, each in found.items():
        assert [c.ids for c in each.completions] == [c.ids for c in expected[key].completions]
    n_parts = sum(each.tokens.computed + each.tokens.cached for each in found.values())
    assert n_parts > sum(len(prompt.ids) for prompt in request.prompts)
    # Every part but the first reads a last token again, from which its samples follow.
    n_computed = sum(each.tokens.computed for each in found.values())
    assert n_computed < sum(len(prompt.ids) for prompt in (one, *others)) + 30


def test_memory_is_bounded_and_what_is_forgotten_is_computed_again(
    engine: Callable[..., TransformersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = engine("qwen3")
    ask(roomy, Request(begun(1), Sampling(1, 1), 0, is_continued=True))
    # About forty tokens.
    room = 40 * 2 * 2 * 2 * 8 * 4
    monkeypatch.setattr("multirm.engines.transformers.room_for_cache", lambda _: room)
    tight, prompts = engine("qwen3"), begun(5)
    for level in range(3):
        request = Request(prompts, Sampling(2, 12, 1.0), 0, (), STOP, is_continued=True)
        found, expected = ask(tight, request), ask(roomy, request)
        for key, each in found.items():
            assert [c.ids for c in each.completions] == [c.ids for c in expected[key].completions]
        assert tight._cache.n_bytes <= room
        if level:
            counts = [sum(each.tokens.computed for each in of.values()) for of in (found, expected)]
            assert counts[0] > counts[1]
        prompts = following(found)


def test_what_is_not_continued_is_not_kept(engine: Callable[..., TransformersEngine]) -> None:
    plain = engine("llama")
    request = Request(begun(2), Sampling(1, 5, 1.0), 0, (), STOP)
    for _ in range(2):
        assert all(each.tokens.cached == 0 for each in ask(plain, request).values())


def test_a_prompt_that_fills_the_context_is_not_read(
    engine: Callable[..., TransformersEngine],
) -> None:
    tight = engine("llama")
    tight._context = 20
    prompts = [Prompt((n,), [5] * n) for n in (12, 20)]
    request = Request(prompts, Sampling(2, 30, 1.0), 0, (), STOP, is_continued=True)
    found = ask(tight, request)
    assert found[20,].tokens.computed == 0
    assert all(one.truncated for one in found[20,].completions)
    assert all(len(one.ids) <= 8 for one in found[12,].completions)
