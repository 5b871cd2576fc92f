"""Draws must have the distribution that transformers' own warpers leave, and belong to their row."""

import numpy as np
import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from multirm.engines.base import Sampling
from multirm.engines.sampling import draw, shortlist

SETTINGS = [
    Sampling(1, 1, temperature=0.6),
    Sampling(1, 1, temperature=1.7, top_k=5),
    Sampling(1, 1, temperature=0.6, top_p=0.8),
    Sampling(1, 1, temperature=0.6, top_p=0.9, top_k=7),
    Sampling(1, 1, temperature=1.0, min_p=0.2),
    Sampling(1, 1, temperature=0.8, top_p=0.95, top_k=20, min_p=0.05),
]


def warped_by_transformers(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    warpers = LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature)])
    if sampling.top_k:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        warpers.append(MinPLogitsWarper(sampling.min_p))
    return warpers(torch.zeros(len(logits), 1, dtype=torch.long), logits).softmax(dim=-1)


def logits_of(rows: int, vocabulary: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_the_same_tokens_are_left_as_by_transformers(sampling: Sampling) -> None:
    logits = logits_of(50, 40)
    probabilities, ids = shortlist(logits, sampling)
    if ids is not None:
        probabilities = torch.zeros_like(logits).scatter(-1, ids, probabilities)
    probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(probabilities, warped_by_transformers(logits, sampling))


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_evenly_spread_numbers_draw_each_token_as_often_as_it_is_likely(sampling: Sampling) -> None:
    n = 20_000
    logits = logits_of(1, 40, seed=3)
    uniforms = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    drawn = draw(logits.expand(n, -1), uniforms, sampling)
    frequencies = torch.bincount(drawn, minlength=40) / n
    expected = warped_by_transformers(logits, sampling)[0]
    torch.testing.assert_close(frequencies, expected, atol=2 / n, rtol=0)


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_the_ends_of_the_unit_interval_draw_tokens_that_are_left_in(sampling: Sampling) -> None:
    logits = logits_of(30, 40, seed=5)
    left = warped_by_transformers(logits, sampling) > 0
    for uniform in (0.0, np.nextafter(1.0, 0.0)):
        drawn = draw(logits, torch.full((30,), uniform, dtype=torch.float64), sampling)
        assert left.gather(-1, drawn[:, None]).all()


def test_a_row_draws_the_same_alone() -> None:
    logits, sampling = logits_of(20, 40), Sampling(1, 1, temperature=0.9, top_k=9)
    uniforms = torch.from_numpy(np.random.default_rng(0).random(20))
    together = draw(logits, uniforms, sampling)
    alone = [draw(logits[k : k + 1], uniforms[k : k + 1], sampling).item() for k in range(20)]
    assert together.tolist() == alone


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = logits_of(20, 40)
    drawn = draw(logits, torch.zeros(20), Sampling(1, 1, temperature=0))
    assert torch.equal(drawn, logits.argmax(dim=-1))
