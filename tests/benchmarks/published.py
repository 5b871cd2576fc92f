"""The published system's decisions against ours, restated plainly and on fresh data: run by hand, from the checkout.

python -m tests.benchmarks.published evaluator [SEED]        random pools, answers as people write them
python -m tests.benchmarks.published discriminative DATASET MODEL=KIND …   rewards of a finished study
python -m tests.benchmarks.published generative DATASET MODEL …

The last two read `results/`, one solution at a time by plain calls of transformers, and compare with the rewards
that stand there. Seeds are fresh where none is given.
"""

import csv
import json
import random
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.tables import parquet
from multirm.tables.accuracy import Estimator, Selection
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.solutions import SOLUTIONS
from multirm.text.prompts import load_template, own_template, render_prompt
from tests.evaluation.paper_evaluation import Pool, accuracies

MODELS = {"dORM": "last", "dPRM": "min", "gORM": "mean", "gPRM": "mean"}
SIZES = [1, 2, 4, 8, 16]
SAID = ["A", "b", "C", " D ", "(A)", "B.", "**C**", "K", "12", "N/A", "", None, "j\n"]
N_SOLUTIONS = 500


def evaluator(seed: int) -> None:
    """14 categories of 12 questions, pools of 1 to 20; one reference in twenty is no letter."""
    generator = random.Random(seed)

    def rewards() -> list[float | None]:
        return [
            generator.choice([None, 0, 1, *(round(generator.random(), 2) for _ in range(9))])
        ] * 3

    def pool() -> Pool:
        reference = generator.choice(["K", *"ABCDABCDABCDABCDABC"])
        size = generator.choice([1, 5, 16, 16, 16, 20])
        return reference, [
            (generator.choice(SAID), {m: rewards() for m in MODELS}) for _ in range(size)
        ]

    study = {f"c{c:02}": {f"{c} {i} " * (i % 3): pool() for i in range(1, 12)} for c in range(14)}
    study = {c: {q: p for q, p in questions.items() if q} for c, questions in study.items()}
    with tempfile.TemporaryDirectory() as folder:
        options = SelectionOptions(**_write(Path(folder), study), n=SIZES, runs=20, seed=7)
        evaluate(options, Path(folder), Estimator.PAPER)
        for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
            with (Path(folder) / f"{selection}.csv").open(newline="") as file:
                _, *lines = csv.reader(file)
            ours = np.array([[float(cell) for cell in line[2:]] for line in lines])
            plain = np.array(
                [row[2:] for row in accuracies(study, MODELS, selection, SIZES, 20, 7)]
            )
            print(
                f"{selection}, seed {seed}: {ours.size} means and deviations, "
                f"{int((ours != plain).sum())} of them other, by {abs(ours - plain).max():.1e} at most"
            )


def _write(folder: Path, study: dict[str, dict[str, Pool]]) -> dict[str, Any]:
    for name in ("solutions", *MODELS):
        (folder / name).mkdir()
    for category, questions in study.items():
        _dump(
            folder / "solutions" / f"{category}.json",
            [
                {
                    "q_id": question_id,
                    "question": "?",
                    "answer": answer,
                    "cot_ids": list(range(len(pool))),
                    "cots": [["So."]] * len(pool),
                    "parsed_answers": [said for said, _ in pool],
                }
                for question_id, (answer, pool) in questions.items()
            ],
        )
        for model in MODELS:
            _dump(
                folder / model / f"{category}_reward.json",
                [
                    {
                        "q_id": question_id,
                        "cot_ids": list(range(len(pool))),
                        "rewards": [lists[model] for _, lists in pool],
                    }
                    for question_id, (_, pool) in questions.items()
                ],
            )
    return {
        "solutions": [str(folder / "solutions")],
        "rewards": [f"{model}={folder / model}" for model in MODELS],
        "aggregation": [f"{model}={how}" for model, how in MODELS.items()],
    }


def _dump(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows))


def discriminative(dataset: str, models: dict[str, str]) -> None:
    """The softmax over `-` and `+` behind each step, every piece of text tokenized on its own, in fp32."""
    for name, kind in models.items():
        model, tokenizer = _loaded(name)
        signs = [tokenizer.encode(sign, add_special_tokens=False)[0] for sign in "-+"]
        found = []
        for row in _solutions(dataset):
            ids = tokenizer.encode(row["question"] + " \n\n")
            ends = []
            for step in row["steps"]:
                ids += tokenizer.encode(step + " \n\n\n\n", add_special_tokens=False)
                ends.append(len(ids) - 1)
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, ends][:, signs]
            found.append((row, logits.double().softmax(-1)[:, 1].tolist()))
        pick = -1 if kind == "dORM" else slice(None)
        _report(name, dataset, found, lambda rewards, pick=pick: min(np.atleast_1d(rewards[pick])))


def generative(dataset: str, models: list[str]) -> None:
    """P(Yes) / (P(Yes) + P(No)) at the last verdict of each critique that stands in `results/`, read again as text."""
    for name in models:
        model, tokenizer = _loaded(name)
        no, yes = (tokenizer.encode(word, add_special_tokens=False)[0] for word in (" No", " Yes"))
        largest, n_other, count, without = 0.0, 0, 0, 0
        for row in _critiques(name, dataset):
            verdicts = list(
                re.finditer(r"(?:correct \(Yes/No\)|correct)\?( Yes| No)\b", row["critique"])
            )
            if not verdicts or "</think>" not in row["critique"][: verdicts[-1].start()]:
                without += row["reward"] is None
                n_other += row["reward"] is not None
                continue
            ids = row["prompt"] + tokenizer.encode(
                row["critique"][: verdicts[-1].start(1)], add_special_tokens=False
            )
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, -1, [no, yes]]
            plain = float(logits.double().softmax(-1)[1])
            if row["reward"] is None:
                n_other += 1
            else:
                count += 1
                largest = max(largest, abs(plain - row["reward"]))
        print(
            f"{name} on {dataset}: {count} rewards, by {largest:.1e} other at most; "
            f"{without} null in both, {n_other} in one alone"
        )


def _loaded(name: str) -> Any:
    folder = Path("results/models") / name / "adapter"
    backbone = Path("results/backbones") / name.partition("-")[2] / "model"
    model = AutoModelForCausalLM.from_pretrained(backbone, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(model, folder).eval()
    return adapted, AutoTokenizer.from_pretrained(folder)


def _solutions(dataset: str) -> list[dict[str, Any]]:
    """Up to so many, drawn afresh."""
    rows = [
        row
        for path in sorted(Path("results/data", dataset).glob("*.parquet"))
        for row in parquet.read(path, SOLUTIONS).to_pylist()
    ]
    return random.SystemRandom().sample(rows, min(N_SOLUTIONS, len(rows)))


def _critiques(name: str, dataset: str) -> Iterator[dict[str, Any]]:
    kind = Kind(name.split("-")[0])
    _, tokenizer = _loaded(name)
    template = load_template(own_template(kind), kind)
    asked = {
        tuple(row[key] for key in SOLUTIONS.key): row
        for path in sorted(Path("results/data", dataset).glob("*.parquet"))
        for row in parquet.read(path, SOLUTIONS).to_pylist()
    }
    rows = [
        row
        for path in sorted(Path("results/rewards", name, dataset).glob("*.critiques.parquet"))
        for row in parquet.read(path, SCORED_CRITIQUES).to_pylist()
    ]
    for row in random.SystemRandom().sample(rows, min(N_SOLUTIONS, len(rows))):
        solution = asked[tuple(row[key] for key in SOLUTIONS.key)]
        prompt = render_prompt(template, row["category"], solution["question"], solution["steps"])
        turns = [{"role": "user", "content": prompt}]
        chat = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(
            f"{chat}<think>\nLet's verify step by step:", add_special_tokens=False
        )
        yield {**row, "prompt": ids}


def _report(name: str, dataset: str, found: list[Any], aggregated: Any) -> None:
    stored = {
        tuple(row[key] for key in SOLUTIONS.key): row["rewards"]
        for path in sorted(Path("results/rewards", name, dataset).glob("*.parquet"))
        for row in parquet.read(path, REWARDS).to_pylist()
    }
    ours = [stored[tuple(row[key] for key in SOLUTIONS.key)] for row, _ in found]
    largest = max(
        abs(a - b)
        for lists, (_, plain) in zip(ours, found, strict=True)
        for a, b in zip(lists, plain, strict=True)
    )
    n_other = sum(
        (aggregated(lists) > 0.5) != (aggregated(plain) > 0.5)
        for lists, (_, plain) in zip(ours, found, strict=True)
    )
    print(
        f"{name} on {dataset}: {len(found)} solutions, {sum(map(len, ours))} steps, rewards by "
        f"{largest:.1e} other at most, {n_other} solutions on the other side of 0.5"
    )


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    match what:
        case "evaluator":
            evaluator(int(given[0]) if given else secrets.randbelow(10**6))
        case "discriminative":
            discriminative(given[0], dict(pair.split("=") for pair in given[1:]))
        case "generative":
            generative(given[0], given[1:])
