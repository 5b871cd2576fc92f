"""Peak memory of training runs on a CPU, compared with what jobs request.

python tests/benchmarks/training_memory.py [MODEL_FOLDER …]

Each case runs in its own process: a random decoder of some shape, or the one in a folder, takes one
step on random tokens. In MB: what the two passes took over what the process had before, what
`resources.Share.memory` says of them, the process's peak, and what a job asks for.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from transformers import LlamaConfig, LlamaForCausalLM

from multirm.models.activations import Decoder
from multirm.models.load import load_model
from multirm.study import resources
from multirm.study.resources import Share
from multirm.training.discriminative import DiscriminativeRecipe
from multirm.training.examples import UNLABELLED, Example
from multirm.training.fine_tuning import fine_tune
from multirm.training.lora import add_adapter
from multirm.training.objectives import prediction

MB = 2**20


class Case(NamedTuple):
    """A model and its training batch."""

    name: str
    model: LlamaConfig | str
    batch: int
    length: int
    is_generative: bool


def shape(layers: int, hidden: int, feed_forward: int, heads: int, vocabulary: int) -> LlamaConfig:
    """A decoder with grouped queries and tied embeddings."""
    return LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 3),
        vocab_size=vocabulary,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )


MINI, SMALL, SMOL = (
    shape(3, 128, 384, 4, 1200),
    shape(12, 384, 1024, 6, 16_000),
    shape(30, 576, 1536, 9, 49_152),
)
CASES = [
    Case("miniature, d", MINI, 16, 200, False),
    Case("miniature, g", MINI, 16, 512, True),
    Case("12 x 384, d", SMALL, 8, 400, False),
    Case("12 x 384, g", SMALL, 8, 400, True),
    Case("30 x 576, d", SMOL, 4, 650, False),
    Case("30 x 576, g, long", SMOL, 1, 2048, True),
]


def peak() -> float:
    """This process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: Case) -> tuple[float, float, float, float, float]:
    """MB of the passes, measured and estimated; of the process, measured and requested; seconds of CPU."""
    given = case.model
    model = load_model(given) if isinstance(given, str) else LlamaForCausalLM(given)
    parameters = sum(weight.numel() for weight in model.parameters())
    adapted = add_adapter(model, 16, 32, 0.1, seed=1)
    vocabulary = model.config.vocab_size
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(case.batch):
        ids = rng.integers(0, vocabulary, case.length).tolist()
        labels = [
            1 if k % 40 == 39 or case.is_generative else UNLABELLED for k in range(case.length)
        ]
        examples.append(Example.of(ids, labels))
    recipe = DiscriminativeRecipe(max_length=case.length, batch_size=case.batch)
    columns = None if case.is_generative else (1, 2)
    share = Share(
        Decoder.of(model.config), case.batch, case.length, None, case.is_generative, vocabulary
    )
    before, start = peak(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        fine_tune("benchmark", adapted, prediction(columns), examples, recipe, checkpoint)
    asked = resources.of_training(parameters, case.batch, 1, 1, share).mem_mb
    seconds = time.process_time() - start
    return peak() - before, share.memory("cpu") / MB, peak(), asked, seconds


def main(folders: list[str]) -> None:
    """Print a line per case."""
    cases = CASES
    if folders:
        cases = [Case(Path(f).name, f, 16, 650, kind) for f in folders for kind in (False, True)]
    context = multiprocessing.get_context("spawn")
    print(f"{'':20} batch length  passes     law    peak   asked   CPU s")
    for case in cases:
        with context.Pool(1) as pool:
            found = pool.apply(measure, (case,))
        numbers = " ".join(f"{number:7.0f}" for number in found)
        print(f"{case.name:20} {case.batch:5} {case.length:6} {numbers}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
