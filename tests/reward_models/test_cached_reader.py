"""Reading only what is new against reading every prefix from its beginning."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.reward_models import load_step_reader
from multirm.reward_models.base import Solution
from multirm.reward_models.cached_reader import CachedReader
from multirm.reward_models.discriminative import DiscriminativeModel, load_discriminative
from multirm.reward_models.step_readers import StepRewards

WORDS = ("So", "12", "+", "30", "= 42.", "No:", "it is (C).", "Then\nagain")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> DiscriminativeModel:
    found = load_discriminative(tiny_model, batch_tokens=300)
    assert isinstance(found, DiscriminativeModel)
    return found


def grown(seed: int, n_solutions: int = 6, n_steps: int = 5) -> list[list[Solution]]:
    """Levels of a search: each solution goes on from one of the level before."""
    generator = random.Random(seed)
    level = [Solution(f"What is {n}?", ()) for n in range(2)]
    levels = []
    for _ in range(n_steps):
        level = [
            replace(parent, steps=(*parent.steps, " ".join(generator.choices(WORDS, k=4))))
            for parent in generator.choices(level, k=n_solutions)
        ]
        levels.append(level)
    return levels


def check(
    model: DiscriminativeModel, reader: CachedReader, level: Sequence[Solution]
) -> list[StepRewards]:
    read = reader.read(level)
    for found, expected in zip(read, model.score(level), strict=True):
        assert found.rewards == pytest.approx(expected.rewards, abs=1e-5)
    return read


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_rewards_of_a_growing_tree_are_those_of_each_prefix_and_tokens_are_computed_once(
    model: DiscriminativeModel, seed: int
) -> None:
    reader = CachedReader(model)
    read = [each for level in grown(seed) for each in check(model, reader, level)]
    assert [each.n_computed for each in read] == [each.n_new for each in read]
    assert sum(each.n_cached for each in read) > 2 * sum(each.n_computed for each in read)


def test_a_small_cache_costs_tokens_and_changes_nothing(model: DiscriminativeModel) -> None:
    levels = grown(0)
    for max_bytes in (0, 20_000):
        reader = CachedReader(model, max_bytes)
        read = [each for level in levels for each in check(model, reader, level)]
        assert reader._cache.n_bytes <= max_bytes
        n_new = sum(each.n_new for each in read)
        assert sum(each.n_computed for each in read) > n_new
        known = CachedReader(model)
        assert n_new == sum(each.n_new for level in levels for each in known.read(level))


def test_order_and_company_change_nothing(model: DiscriminativeModel) -> None:
    *_, last = grown(1)
    together = CachedReader(model).read(last)
    backwards = CachedReader(model).read(last[::-1])[::-1]
    for solution, found, other in zip(last, together, backwards, strict=True):
        [alone] = CachedReader(model).read([solution])
        assert found.rewards == pytest.approx(alone.rewards, abs=1e-5)
        assert found.rewards == pytest.approx(other.rewards, abs=1e-5)
    for count in ("n_new", "n_computed"):
        totals = {sum(getattr(each, count) for each in read) for read in (together, backwards)}
        assert len(totals) == 1


def test_equal_solutions_and_known_ones_cost_nothing(model: DiscriminativeModel) -> None:
    one, reader = grown(2)[-1][0], CachedReader(model)
    first, again = reader.read([one, replace(one, key=("other",))])
    [later] = reader.read([one])
    assert first.rewards == again.rewards == later.rewards
    assert (again.n_new, again.n_computed, again.n_cached, again.flops) == (0, 0, 0, 0.0)
    assert (later.n_new, later.n_computed, later.flops) == (0, 0, 0.0)
    assert later.n_cached == first.n_computed


def test_what_an_earlier_run_has_read_is_not_new(model: DiscriminativeModel) -> None:
    levels, whole, resumed = grown(5), CachedReader(model), CachedReader(model)
    *_, expected = [whole.read(level) for level in levels]
    for level in levels[:-1]:
        resumed.know(level)
    found = check(model, resumed, levels[-1])
    assert [each.n_new for each in found] == [each.n_new for each in expected]
    assert sum(each.n_computed for each in found) > sum(each.n_new for each in found)


def test_operations_are_those_of_the_tokens_that_are_computed(model: DiscriminativeModel) -> None:
    reader = CachedReader(model)
    whole = grown(3)[-1][0]
    steps = [replace(whole, steps=whole.steps[: n + 1]) for n in range(len(whole.steps))]
    spent = sum(each.flops for one in steps for each in reader.read([one]))
    assert spent == pytest.approx(model.score([whole])[0].flops)


def test_what_is_too_long_has_no_rewards_and_costs_nothing(model: DiscriminativeModel) -> None:
    reader = CachedReader(model)
    begun = Solution("Which?", ("So (C).",))
    long = replace(begun, steps=(*begun.steps, "because " * 2000))
    found, short, empty = reader.read([long, begun, replace(begun, steps=())])
    assert found == StepRewards((None, None), 0, 0, 0, 0, 0.0, truncated=True)
    assert short.rewards == pytest.approx(model.score([begun])[0].rewards, abs=1e-5)
    assert (empty.rewards, empty.truncated) == ((), False)
    assert reader.read([]) == []


def test_the_example_of_the_docs_runs(tiny_model: Path) -> None:
    lines = str(load_step_reader.__doc__).splitlines()
    example = "\n".join(line.strip() for line in lines if line.startswith("    "))
    names = {**vars(load_step_reader), "Solution": Solution}
    exec(example.replace("results/models/dPRM-mini/adapter", str(tiny_model)), names)
    assert len(names["found"].rewards) == 2
