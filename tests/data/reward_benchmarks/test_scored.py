"""A benchmark from its file to its accuracy: what is read can be scored as any solutions are."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification, set_seed

from multirm.data.reward_benchmarks.read import read_responses
from multirm.data.reward_benchmarks.truncate import truncate_responses
from multirm.evaluation.responses import evaluate_responses
from multirm.scoring.discriminative import score_discriminative
from multirm.tables import parquet
from multirm.tables.response_accuracy import RESPONSE_ACCURACY, RESPONSE_REWARDS
from multirm.tables.responses import Benchmark
from multirm.tables.reward_models import FormatName


def test_a_classifier_scores_responses_and_their_beginnings(
    tmp_path: Path, tiny_model: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    folder = tmp_path / "classifier"
    set_seed(1)
    config = LlamaConfig.from_pretrained(tiny_model, num_labels=1)
    model = LlamaForSequenceClassification(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pairs = [(f"Why {k}?", f"Because of {k * 7}.\n\nAnd so on.", f"No, {k}.") for k in range(4)]
    source = tmp_path / "rows.jsonl"
    rows = [
        {"id": k, "prompt": prompt, "chosen": chosen, "rejected": rejected}
        | {"subset": f"hep-{'go' if k % 2 else 'cpp'}"}
        for k, (prompt, chosen, rejected) in enumerate(pairs)
    ]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    names = ("responses", "solutions", "variants", "texts", "rewards")
    paths = {name: tmp_path / f"{name}.parquet" for name in names}
    read_responses(
        Benchmark.REWARDBENCH,
        [str(source)],
        "d",
        paths["responses"],
        paths["solutions"],
        one_step=True,
    )
    truncate_responses(
        paths["responses"], paths["solutions"], [8], paths["variants"], paths["texts"]
    )
    score_discriminative(
        [f"rm={folder}"], paths["texts"], [paths["rewards"]], format=FormatName.CLASSIFIER
    )
    folder = tmp_path / "evaluation"
    evaluate_responses(
        [paths["variants"]], [paths["texts"]], folder, [f"rm={paths['rewards']}"], ["rm=last"]
    )
    scores = {}
    for prompt, *responses in pairs:
        for text in responses:
            chat = [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": text},
            ]
            ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=False)
            with torch.no_grad():
                # A model that pads with the end of a turn reads the token before it.
                scores[prompt, text] = float(model(ids[:, :-1]).logits)
    found = parquet.read(folder / "response_rewards.parquet", RESPONSE_REWARDS).to_pylist()
    whole = [row for row in found if row["model"] == "rm" and row["n_shown"] is None]
    assert [row["reward"] for row in whole] == pytest.approx(list(scores.values()), abs=1e-4)
    accuracies = parquet.read(folder / "response_accuracy.parquet", RESPONSE_ACCURACY)
    (row,) = [
        row
        for row in accuracies.to_pylist()
        if (row["model"], row["level"], row["ties"], row["n_shown"]) == ("rm", "all", "lost", None)
    ]
    right = sum(scores[p, chosen] > scores[p, rejected] for p, chosen, rejected in pairs)
    assert (row["value"], row["n_missing"]) == (25 * right, 0)
