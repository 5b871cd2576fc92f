"""Texts that continue known ones have the hidden states that transformers gives each text alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.models.packing import attend_in_packs
from multirm.models.prefix_cache import PrefixCache
from multirm.models.prefix_reading import read_texts
from tests.models.test_packing import random_model

# Also with a window of attention that texts are longer than, in all layers or in some.
FAMILIES = ["llama", "qwen3", "mistral", "qwen3, some layers sliding"]
FAMILIES += ["gemma3, two kinds of positions"]
TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=4)


@pytest.fixture(scope="module", params=FAMILIES)
def models(request: pytest.FixtureRequest) -> list[torch.nn.Module]:
    """A model, and one of the same weights as transformers has it."""
    packed, plain = random_model(request.param), random_model(request.param)
    attend_in_packs(packed)
    return [packed.eval(), plain.eval()]


@settings(deadline=None, max_examples=15)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_hidden_states_are_those_of_each_text_alone_and_known_tokens_are_not_computed(
    models: list[torch.nn.Module], batches: list[list[list[int]]], random: object
) -> None:
    packed, plain = models
    cache, known = PrefixCache(10**9), set[tuple[int, ...]]()
    for texts in batches:
        places = [
            sorted(random.sample(range(len(text)), random.randint(1, len(text)))) for text in texts
        ]
        reading = read_texts(packed, cache, texts, places)
        expected = []
        n_again = 0
        for text, wanted in zip(texts, places, strict=True):
            with torch.no_grad():
                output = plain.get_decoder()(torch.tensor([text])).last_hidden_state[0]
            expected.append(output[wanted])
            n_again += sum(tuple(text[: place + 1]) in known for place in wanted)
        torch.testing.assert_close(reading.hidden, torch.cat(expected), atol=1e-5, rtol=1e-5)
        prefixes = {tuple(text[:n]) for text in texts for n in range(1, len(text) + 1)}
        assert sum(reading.n_computed) == len(prefixes - known) + n_again
        known |= prefixes
