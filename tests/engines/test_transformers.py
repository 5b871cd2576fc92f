"""The engine against transformers' own generation and against plain forward passes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    set_seed,
)

from multirm.engines.base import Completed, Completion, Prompt, Request, Sampling
from multirm.engines.decoding import Decoding
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models import cpu
from multirm.models.batching import TOKENS_AT_ONCE
from multirm.models.load import load_model, load_tokenizer

WATCH = tuple(range(80, 120))


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> PreTrainedModel:
    """The tiny model, made surer of itself, so that texts differ, and with ends enough for some to end early."""
    model = load_model(str(tiny_model))
    with torch.no_grad():
        model.lm_head.weight.mul_(40)
    model.generation_config.eos_token_id = [model.config.eos_token_id, *range(60, 80)]
    return model


@pytest.fixture(scope="module")
def engine(model: PreTrainedModel, tiny_model: Path) -> TransformersEngine:
    return TransformersEngine(model, load_tokenizer(str(tiny_model)))


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    generator = np.random.default_rng(0)
    return [
        Prompt(("data", k), generator.integers(4, 250, generator.integers(3, 30)).tolist())
        for k in range(12)
    ]


def by_key(
    engine: TransformersEngine, prompts: list[Prompt], sampling: Sampling, seed: int = 0
) -> dict[tuple[str | int, ...], list[Completion]]:
    return {
        completed.prompt.key: completed.completions
        for portion in engine.generate(Request(prompts, sampling, seed, WATCH))
        for completed in portion
    }


def test_greedy_texts_are_those_of_transformers(
    engine: TransformersEngine, model: PreTrainedModel, prompts: list[Prompt]
) -> None:
    found = by_key(engine, prompts, Sampling(1, 40, temperature=0))
    ended = 0
    for prompt in prompts:
        ids = torch.tensor([prompt.ids])
        expected = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=40,
        )[0, len(prompt.ids) :].tolist()
        truncated = expected[-1] not in model.generation_config.eos_token_id
        ended += not truncated
        (completion,) = found[prompt.key]
        assert completion.ids == (expected if truncated else expected[:-1])
        assert completion.truncated == truncated
        assert completion.text == engine._tokenizer.decode(completion.ids)
    assert 0 < ended < len(prompts)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(3, 25, temperature=0.9), Sampling(3, 25, temperature=0.9, top_p=0.9, top_k=20)],
    ids=str,
)
def test_samples_do_not_depend_on_batches_or_order(
    model: PreTrainedModel, tiny_model: Path, prompts: list[Prompt], sampling: Sampling
) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    together = by_key(TransformersEngine(model, tokenizer), prompts, sampling)
    alone = by_key(TransformersEngine(model, tokenizer, batch_tokens=1), prompts[::-1], sampling)
    part = by_key(TransformersEngine(model, tokenizer, batch_tokens=400), prompts[3:7], sampling)
    for key, completions in together.items():
        others = [alone[key], part[key]] if key in part else [alone[key]]
        for other in others:
            assert [c.ids for c in completions] == [c.ids for c in other]
            for one, two in zip(completions, other, strict=True):
                assert list(one.watched) == list(two.watched)
                for place, seen in one.watched.items():
                    np.testing.assert_allclose(seen, two.watched[place], atol=1e-4)


@pytest.mark.parametrize("first", [0, 2])
def test_samples_of_a_prompt_that_are_too_many_for_a_batch_are_drawn_in_several(
    model: PreTrainedModel,
    tiny_model: Path,
    prompts: list[Prompt],
    monkeypatch: pytest.MonkeyPatch,
    first: int,
) -> None:
    tokenizer, sampling = load_tokenizer(str(tiny_model)), Sampling(7, 20, 1.0, first=first)
    together = by_key(TransformersEngine(model, tokenizer), prompts, sampling)
    sizes = []

    class Measured(Decoding):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)
            sizes.append(self.logits.shape[0] * (self._mask.shape[1] + sampling.max_tokens))

    monkeypatch.setattr("multirm.engines.transformers.Decoding", Measured)
    engine = TransformersEngine(model, tokenizer, batch_tokens=200)
    found = by_key(engine, prompts, sampling)
    assert sorted(found) == sorted(together)
    for key, completions in found.items():
        assert [c.ids for c in completions] == [c.ids for c in together[key]]
    assert max(sizes) <= 200
    assert len(sizes) > len(prompts)


def test_fewer_samples_are_the_first_of_more(
    engine: TransformersEngine, prompts: list[Prompt]
) -> None:
    more = by_key(engine, prompts, Sampling(3, 20, temperature=1.0))
    fewer = by_key(engine, prompts, Sampling(2, 20, temperature=1.0))
    for key, completions in fewer.items():
        assert [c.ids for c in completions] == [c.ids for c in more[key][:2]]
    later = by_key(engine, prompts, Sampling(2, 20, temperature=1.0, first=1))
    for key, completions in later.items():
        assert [c.ids for c in completions] == [c.ids for c in more[key][1:]]


def test_samples_and_seeds_differ(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    sampling = Sampling(4, 20, temperature=1.0)
    one, two = by_key(engine, prompts, sampling, 0), by_key(engine, prompts, sampling, 1)
    assert any(len({tuple(c.ids) for c in completions}) > 1 for completions in one.values())
    assert any([c.ids for c in one[key]] != [c.ids for c in two[key]] for key in one)


def test_watched_are_the_log_probabilities_of_a_full_forward_pass(
    engine: TransformersEngine, model: PreTrainedModel, prompts: list[Prompt]
) -> None:
    found = by_key(engine, prompts, Sampling(2, 20, temperature=0.7, top_k=10))
    n_watched = 0
    for prompt in prompts:
        for completion in found[prompt.key]:
            with torch.no_grad():
                logits = model(torch.tensor([prompt.ids + completion.ids])).logits[0]
            expected = logits.log_softmax(dim=-1)[len(prompt.ids) - 1 : -1, list(WATCH)]
            drawn = [k for k, token in enumerate(completion.ids) if token in WATCH]
            assert list(completion.watched) == drawn
            n_watched += len(drawn)
            for place in drawn:
                np.testing.assert_allclose(completion.watched[place], expected[place], atol=1e-4)
    assert n_watched > 20


def test_what_is_done_is_left_out_and_nothing_else_changes(
    model: PreTrainedModel, tiny_model: Path, prompts: list[Prompt]
) -> None:
    engine = TransformersEngine(model, load_tokenizer(str(tiny_model)), batch_tokens=200)
    sampling = Sampling(2, 20, temperature=1.0)
    request = Request(prompts, sampling, 0, WATCH)
    everything = list(engine.generate(request))
    assert all(everything[1:]) and len(everything) > 4
    done = [completed.prompt.key for portion in everything[:3] for completed in portion]
    # To the last bit: the same prompts are read together.
    assert list(engine.generate(replace(request, done=done)))[1:] == everything[3:]


@pytest.fixture(scope="module")
def begun(prompts: list[Prompt]) -> list[Prompt]:
    """Prompts that start with the same tokens; one has no more than one of its own, another starts like a third."""
    generator = np.random.default_rng(1)
    shared = generator.integers(4, 250, 100).tolist()
    texts = [[*shared, *prompt.ids] for prompt in prompts]
    texts[3], texts[4] = [*shared, 7], [*texts[5], 9]
    return [Prompt(("begun", k), text) for k, text in enumerate(texts)]


def all_of(
    model: PreTrainedModel, folder: Path, prompts: list[Prompt], batch_tokens: int = 1500
) -> dict[tuple[str | int, ...], Completed]:
    portions = generated(model, folder, prompts, batch_tokens)
    return {one.prompt.key: one for some in portions for one in some}


def generated(
    model: PreTrainedModel, folder: Path, prompts: list[Prompt], batch_tokens: int = 1500
) -> Iterator[list[Completed]]:
    engine = TransformersEngine(model, load_tokenizer(str(folder)), batch_tokens)
    return engine.generate(Request(prompts, Sampling(3, 25, temperature=0.9), 0, WATCH))


@pytest.mark.parametrize("at_once", [2048, 40])
def test_what_prompts_start_with_is_computed_once_and_changes_nothing(
    model: PreTrainedModel,
    tiny_model: Path,
    begun: list[Prompt],
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setitem(TOKENS_AT_ONCE, "cpu", at_once)
    portions = list(generated(model, tiny_model, begun))
    found = {one.prompt.key: one for some in portions for one in some}
    assert len(found) == len(begun) and sum(map(bool, portions)) > 2
    for prompt in begun:
        # Alone, it shares nothing.
        alone = all_of(model, tiny_model, [prompt])[prompt.key]
        assert alone.tokens.computed == len(prompt.ids)
        one = found[prompt.key]
        assert [c.ids for c in one.completions] == [c.ids for c in alone.completions]
        for mine, other in zip(one.completions, alone.completions, strict=True):
            assert list(mine.watched) == list(other.watched)
            for place, seen in mine.watched.items():
                np.testing.assert_allclose(seen, other.watched[place], atol=1e-4)
    # What all start with, and of the prompts of a batch what some of them start with.
    own = [
        {tuple(one.prompt.ids[:n]) for one in some for n in range(101, len(one.prompt.ids) + 1)}
        for some in portions
    ]
    counts = [one.tokens for one in found.values()]
    assert sum(c.computed for c in counts) == 100 + sum(map(len, own))
    assert sum(c.computed + c.cached for c in counts) == sum(len(p.ids) for p in begun)


def test_what_is_done_changes_nothing_of_what_starts_alike(
    model: PreTrainedModel, tiny_model: Path, begun: list[Prompt]
) -> None:
    engine = TransformersEngine(model, load_tokenizer(str(tiny_model)), 1000)
    request = Request(begun, Sampling(2, 20, temperature=1.0), 0, WATCH)
    everything = list(engine.generate(request))
    done = [completed.prompt.key for portion in everything[:3] for completed in portion]
    rest = list(engine.generate(replace(request, done=done)))[1:]
    assert [[one.completions for one in some] for some in rest] == [
        [one.completions for one in some] for some in everything[3:]
    ]


def test_a_short_start_is_computed_in_each_batch(
    model: PreTrainedModel, tiny_model: Path, begun: list[Prompt]
) -> None:
    short = [Prompt(prompt.key, prompt.ids[60:]) for prompt in begun]
    for some in generated(model, tiny_model, short):
        distinct = {
            tuple(one.prompt.ids[:n]) for one in some for n in range(1, 1 + len(one.prompt.ids))
        }
        assert sum(one.tokens.computed for one in some) == len(distinct)


def test_on_a_cpu_keys_and_values_bound_the_batch(
    model: PreTrainedModel,
    tiny_model: Path,
    prompts: list[Prompt],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer, text = load_tokenizer(str(tiny_model)), model.config
    width = text.hidden_size // text.num_attention_heads
    of_token = text.num_hidden_layers * 2 * text.num_key_value_heads * width * 4
    request = Request(prompts, Sampling(1, 10, temperature=0), 0)
    assert len([*filter(None, TransformersEngine(model, tokenizer).generate(request))]) == 1
    longest = max(len(prompt.ids) for prompt in prompts) + 10
    monkeypatch.setattr("multirm.engines.transformers._BATCH_BYTES", 3 * longest * of_token)
    portions = [*filter(None, TransformersEngine(model, tokenizer).generate(request))]
    assert len(portions[0]) == 3 and len(portions) > 2


def test_a_full_context_truncates(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    set_seed(0)
    config = LlamaConfig(
        vocab_size=150,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=20,
        eos_token_id=None,
    )
    engine = TransformersEngine(LlamaForCausalLM(config).eval(), tokenizer)
    prompts = [Prompt((n,), [5] * n) for n in (4, 18, 20, 30)]
    found = by_key(engine, prompts, Sampling(2, 6, temperature=0))
    assert {n: len(found[(n,)][0].ids) for n in (4, 18, 20, 30)} == {4: 6, 18: 2, 20: 0, 30: 0}
    assert all(len(completions) == 2 for completions in found.values())
    assert all(c.truncated for completions in found.values() for c in completions)


@pytest.mark.parametrize(("dtype", "promised"), [(torch.float32, True), (torch.bfloat16, False)])
def test_samples_are_promised_in_full_precision_alone(
    tiny_model: Path, dtype: torch.dtype, promised: bool
) -> None:
    model = load_model(str(tiny_model)).to(dtype)
    engine = TransformersEngine(model, load_tokenizer(str(tiny_model)))
    assert engine.reproducible is promised


def test_samples_are_not_promised_where_products_are_rounded(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_are_exact", lambda: False)
    engine = TransformersEngine(load_model(str(tiny_model)), load_tokenizer(str(tiny_model)))
    assert not engine.reproducible


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected weights"):
        load_engine(EngineName.TRANSFORMERS, str(tmp_path))
