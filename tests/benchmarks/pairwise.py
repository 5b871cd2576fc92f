"""Time of a training step on pairs, common beginnings read once or with each text: run by hand.

    python tests/benchmarks/pairwise.py [HIDDEN [LAYERS]]

A random Llama of HIDDEN (576) and LAYERS (12), all weights trained. Pairs are as long as OpenPRM's: a question of 150
tokens, 200 tokens of the answer before the step, and a step of 60. With a shared prefix both sides have the same 200
tokens; with their own they have only the question in common.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedModel

from multirm.models import packing
from multirm.models.packing import attend_in_packs, pack
from multirm.training import preference_pairs
from multirm.training.preference_pairs import PairExample, bradley_terry

QUESTION, BEFORE, STEP, PAIRS, REPEATS, VOCABULARY = 150, 200, 60, 8, 5, 4096


def pairs(shared: bool) -> list[PairExample]:
    generator = np.random.default_rng(0)

    def text(n: int) -> list[int]:
        return generator.integers(5, VOCABULARY, n).tolist()

    found = []
    for _ in range(PAIRS):
        question, before = text(QUESTION), text(BEFORE)
        other = before if shared else text(BEFORE)
        sides = [[*question, *own, *text(STEP)] for own in (before, other)]
        found.append(PairExample.of(*sides))
    return found


def seconds(model: PreTrainedModel, examples: Sequence[PairExample], at_once: int) -> float:
    """The shortest time of a pass forward and back over all pairs."""
    loss, found = bradley_terry().loss, []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for start in range(0, len(examples), at_once):
            loss(model, examples[start : start + at_once]).backward()
        found.append(time.perf_counter() - started)
        model.zero_grad()
    return min(found)


def main(hidden: int = 576, layers: int = 12) -> None:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=8 * hidden // 3 // 32 * 32,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        pad_token_id=0,
        num_labels=1,
    )
    torch.manual_seed(0)
    model = LlamaForSequenceClassification(config)
    attend_in_packs(model)
    for name, shared in (("shared prefix", True), ("own prefixes", False)):
        examples = pairs(shared)
        once = seconds(model, examples, 4)
        preference_pairs.pack_tree = pack  # type: ignore[attr-defined]
        plain = seconds(model, examples, 4)
        preference_pairs.pack_tree = packing.pack_tree  # type: ignore[attr-defined]
        print(f"{name}: {plain:.2f} s with each text, {once:.2f} s once: {plain / once:.2f} x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
