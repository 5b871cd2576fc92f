"""A reward is read from the ids, and at the positions, that were learned from: on all real data.

Checked against what the published format says (DESIGN: every piece tokenized on its own), with plain calls
of the tokenizer.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from multirm.data.read import read_solutions
from multirm.formats.sources import Reader
from multirm.models.packing import pack_tree
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import encode_solution
from multirm.training.discriminative import label_solutions
from multirm.training.examples import UNLABELLED
from multirm.training.tokenizer import train_tokenizer
from tests.conftest import byte_level_tokenizer

SOURCES = {
    "gsm8k": (Reader.GSM8K, "gsm8k/example_model_solutions.jsonl", "math"),
    "prm800k": (Reader.VERSAPRM, "prm800k/phase2_eval_small.json", "math"),
    "prmbench_train": (Reader.PRMBENCH, "prmbench/train_*.jsonl", "math"),
    "prmbench_test": (Reader.PRMBENCH, "prmbench/test_*.jsonl", "math"),
    "mmlu_pro": (Reader.MMLU_PRO, "mmlu_pro/exemplars.json", "law"),
}
# Line breaks at the seams, which a tokenizer would merge with those that follow if it saw them together.
SEAMS = [
    ("Which?\n", ["\nOne.\n\n", "\n\n", " \n", "Two. \n\n\n\n\n"]),
    ("Which? \n\n", ["a", "b", "ab", " ab", "+", "-"]),
]


def miniature(texts: list[str]) -> PreTrainedTokenizerBase:
    return train_tokenizer(texts, ["{question} {solution}"], 2000, 100_000)


@pytest.fixture(scope="module")
def rows_of(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    def read(name: str) -> list[dict[str, Any]]:
        reader, source, category = SOURCES[name]
        files = sorted(map(str, shared_data.glob(source)))
        output = tmp_path_factory.mktemp(name) / "solutions.parquet"
        read_solutions(reader, files, name, category, output)
        return parquet.read(output, SOLUTIONS).to_pylist()

    return read


@pytest.mark.parametrize("tokenizer_of", [miniature, byte_level_tokenizer])
@pytest.mark.parametrize("name", SOURCES)
def test_what_is_scored_is_what_was_learned(
    name: str, tokenizer_of: Callable[[list[str]], Any], rows_of: Callable[[str], Any]
) -> None:
    rows = rows_of(name)
    assert rows
    rows = [
        # About a thousand of the larger ones, evenly spread.
        *rows[:: max(1, len(rows) // 1000)],
        *({**rows[0], "question": question, "steps": steps} for question, steps in SEAMS),
    ]
    texts = [text for row in rows[:300] for text in (row["question"], *row["steps"])]
    check(tokenizer_of(texts), rows)


def check(tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, Any]]) -> None:
    # Labelled at every step, whatever the truth is: all places are compared.
    labelled = [{**row, "outcome": 1, "step_labels": [1] * len(row["steps"])} for row in rows]
    examples, _ = label_solutions(Kind.DPRM, tokenizer, labelled, 10**9)
    learned_ids = [token for example in examples for token in example.ids]
    labels = [label for example in examples for label in example.labels]
    learned_places = [k for k, label in enumerate(labels) if label != UNLABELLED]

    solutions = [encode_solution(tokenizer, row["question"], row["steps"]) for row in rows]
    pack = pack_tree([solution.ids for solution in solutions])
    ids = pack.input_ids[0].numpy()
    scored_ids, scored_places, plain_ids, plain_places = [], [], [], []
    for row, solution, place in zip(rows, solutions, pack.places, strict=True):
        scored_places += [len(scored_ids) + end for end in solution.step_ends]
        scored_ids += ids[place].tolist()
        plain_ids += tokenizer(row["question"] + " \n\n")["input_ids"]
        for step in row["steps"]:
            plain_ids += tokenizer(step + " \n\n\n\n", add_special_tokens=False)["input_ids"]
            plain_places.append(len(plain_ids) - 1)
    assert scored_ids == learned_ids == plain_ids
    assert scored_places == learned_places == plain_places
