"""Pairwise training from tables of preferences: what is learned, written, counted and refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from multirm.errors import InputError
from multirm.models.training_method import Method
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.reward_models.formats import read_format
from multirm.running.provenance import TUNED, made_as
from multirm.tables import parquet
from multirm.tables.preferences import PREFERENCES
from multirm.tables.reward_models import FormatName
from multirm.tables.training import CURVES, EXAMPLES
from multirm.training.pairwise import PairwiseRecipe, pair_examples, train_pairwise
from tests.origins import made_of

Rows = list[dict[str, Any]]
QUESTION = "Which is it?"
FAST = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 4}


def preference(number: int, chosen: list[str], rejected: list[str], **other: Any) -> dict[str, Any]:
    row = dict.fromkeys(PREFERENCES.columns.names)
    row |= {"dataset": "d", "category": "law", "question_id": f"q{number}", "pair_id": 0}
    row |= {"kind": "process", "question": QUESTION, "chosen": chosen, "rejected": rejected}
    return row | other


def good_and_bad(n: int) -> Rows:
    """Pairs that differ in one word, which decides."""
    return [
        preference(k, [f"Step {k}.", "It is yes."], [f"Step {k}.", "It is no."]) for k in range(n)
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Rows], Path]:
    def write(rows: Rows) -> Path:
        path = tmp_path / "preferences.parquet"
        parquet.write(path, PREFERENCES, rows, made_of())
        return path

    return write


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("format", [FormatName.PAIRWISE, FormatName.CLASSIFIER])
def test_what_is_learned(
    tiny_model: Path,
    tmp_path: Path,
    write: Callable[[Rows], Path],
    method: Method,
    format: FormatName,
) -> None:
    output, curve, counts = (tmp_path / name for name in ("model", "curve", "counts"))
    recipe = PairwiseRecipe(method=method, **FAST)  # type: ignore[arg-type]
    pairs = write(good_and_bad(16))
    train_pairwise([pairs], str(tiny_model), output, format, None, curve, counts, recipe)
    losses = [row["loss"] for row in parquet.read(curve, CURVES).to_pylist()]
    assert losses[0] == pytest.approx(0.69, abs=0.2)
    assert losses[-1] < 0.5 * losses[0]
    [row] = parquet.read(counts, EXAMPLES).to_pylist()
    assert (row["n_used"], row["n_positive"]) == (16, None)
    scorer = load_discriminative(output, asked=read_format(format))
    # Unseen beginnings with the ends that were learned.
    ends = ("It is yes.", "It is no.")
    yes, no = scorer.score([Solution(QUESTION, ("Step 99.", end)) for end in ends])
    assert yes.rewards[-1] is not None
    assert no.rewards[-1] is not None
    assert yes.rewards[-1] > no.rewards[-1]


def test_the_model_is_a_classifier_for_transformers_too(
    tiny_model: Path, tmp_path: Path, write: Callable[[Rows], Path]
) -> None:
    output = tmp_path / "model"
    recipe = PairwiseRecipe(**FAST)  # type: ignore[arg-type]
    train_pairwise([write(good_and_bad(4))], str(tiny_model), output, recipe=recipe)
    assert made_as(output) == TUNED
    config = json.loads((output / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    network = AutoModelForSequenceClassification.from_pretrained(output)
    scorer = load_discriminative(output, asked=read_format(FormatName.PAIRWISE))
    [found] = scorer.score([Solution(QUESTION, ("Step 1.", "It is no."))])
    tokenizer = scorer._encode(Solution(QUESTION, ("Step 1.", "It is no.")))  # type: ignore[attr-defined]
    with torch.no_grad():
        expected = network(torch.tensor([tokenizer.ids])).logits[0, 0].item()
    assert found.rewards[-1] == pytest.approx(expected, abs=1e-5)
    # It can be trained on: its head is kept.
    again = tmp_path / "again"
    slow = PairwiseRecipe(learning_rate=1e-12, batch_size=4)
    train_pairwise([write(good_and_bad(4))], str(output), again, recipe=slow)
    rescored = load_discriminative(again, asked=read_format(FormatName.PAIRWISE))
    [same] = rescored.score([Solution(QUESTION, ("Step 1.", "It is no."))])
    assert same.rewards == pytest.approx(found.rewards, abs=1e-5)


def encode(solution: Solution) -> list[int]:
    return list(range(1 + sum(map(len, solution.steps))))


def test_what_becomes_of_rows() -> None:
    rows = [
        preference(0, ["a"], ["bb"], kind="outcome", margin=2.0),
        preference(1, ["a"], ["bbb"], margin=0.5),
        preference(2, ["a"], ["b" * 99], margin=0.5),
        preference(3, ["a"], ["b"]),
    ]
    recipe = PairwiseRecipe(max_length=50, process_weight=0.25)
    pairs, tally = pair_examples(rows, encode, recipe)
    assert [(pair.weight, pair.margin) for pair in pairs] == [(1.0, 0.0), (0.25, 0.0), (0.25, 0.0)]
    assert (tally.used["law"], tally.too_long["law"], tally.unlabelled["law"]) == (3, 1, 0)
    margins = PairwiseRecipe(max_length=50, use_margins=True)
    pairs, tally = pair_examples(rows, encode, margins)
    assert [pair.margin for pair in pairs] == [2.0, 0.5]
    assert tally.unlabelled["law"] == 1
    _, tally = pair_examples(rows, encode, PairwiseRecipe(process_weight=0.0))
    assert (tally.used["law"], tally.unlabelled["law"]) == (1, 3)


def test_what_is_refused(tiny_model: Path, tmp_path: Path, write: Callable[[Rows], Path]) -> None:
    pairs, output = [write(good_and_bad(2))], tmp_path / "model"
    with pytest.raises(InputError, match="format: expected pairwise or classifier, found qwen_prm"):
        train_pairwise(pairs, str(tiny_model), output, FormatName.QWEN_PRM)
    with pytest.raises(InputError, match="expected at least one example to train on"):
        train_pairwise(pairs, str(tiny_model), output, recipe=PairwiseRecipe(max_length=3))
    assert not output.exists()
