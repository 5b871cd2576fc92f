"""A trained dPRM gives the same rewards through vLLM, merged or exported as a token classifier."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from multirm.models.load import load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import encode_solution
from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative
from multirm.training.export import export_token_classifier
from multirm.training.merge import merge_adapter
from tests.origins import made_of
from tests.training.test_discriminative import toy_solutions

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS_TO_SCORE = [
    Solution(row["question"], tuple(row["steps"])) for row in toy_solutions(4)
] + [Solution("A longer question, with more words in it?", ("First this.", "So it is not!"))]

# As documented in README.
SERVE = """
import json, sys
from vllm import LLM
from vllm.config import PoolerConfig
folder, overrides, texts = json.load(sys.stdin)
llm = LLM(
    folder, runner="pooling", convert="classify", hf_overrides=overrides, dtype="float32",
    enforce_eager=True, max_model_len=256,
    pooler_config=PoolerConfig(task="token_classify", tok_pooling_type="ALL"),
)
found = llm.encode([{"prompt_token_ids": ids} for ids in texts], pooling_task="token_classify", use_tqdm=False)
with open(sys.argv[1], "w") as file:
    json.dump([each.outputs.data.tolist() for each in found], file)
"""


@pytest.fixture(scope="module")
def trained(sure_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that has learned something."""
    folder = tmp_path_factory.mktemp("trained")
    table = folder / "law.parquet"
    parquet.write(table, SOLUTIONS, toy_solutions(16), made_of())
    train_discriminative(
        backbone=str(sure_model),
        solutions=[table],
        output=folder / "adapter",
        recipe=DiscriminativeRecipe(batch_size=4, learning_rate=1e-2, epochs=2.0),
    )
    return folder / "adapter"


def rewards(model: Path) -> list[float]:
    found = load_discriminative(model).score(SOLUTIONS_TO_SCORE)
    return [float(reward or 0) for each in found for reward in each.rewards]


def encoded(model: Path) -> list[tuple[list[int], list[int]]]:
    tokenizer = load_tokenizer(str(model))
    texts = [encode_solution(tokenizer, s.question, s.steps) for s in SOLUTIONS_TO_SCORE]
    return [(text.ids, text.step_ends) for text in texts]


def through_vllm(
    python: Path, folder: Path, overrides: dict[str, Any], output: Path, of: Path
) -> list[float]:
    """P(correct) at each step's end, from vLLM in a process of its own."""
    texts = encoded(of)
    asked = json.dumps([str(folder), overrides, [ids for ids, _ in texts]])
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [str(python), "-c", SERVE, str(output)],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    classes = json.loads(output.read_text())
    return [each[end][1] for each, (_, ends) in zip(classes, texts, strict=True) for end in ends]


def test_vllm_serves_merged_models_and_exported_classifiers(
    vllm_python: Path, sure_model: Path, trained: Path, tmp_path: Path
) -> None:
    expected = rewards(trained)
    assert max(expected) - min(expected) > 0.05
    merge_adapter(str(sure_model), trained, tmp_path / "merged")
    two_tokens = {"classifier_from_token": ["-", "+"], "method": "no_post_processing"}
    merged = through_vllm(
        vllm_python, tmp_path / "merged", two_tokens, tmp_path / "merged.json", trained
    )
    assert merged == pytest.approx(expected, abs=1e-4)
    export_token_classifier(str(trained), tmp_path / "classifier")
    exported = through_vllm(
        vllm_python, tmp_path / "classifier", {}, tmp_path / "classifier.json", trained
    )
    assert exported == pytest.approx(expected, abs=1e-4)


def test_transformers_loads_an_exported_classifier(trained: Path, tmp_path: Path) -> None:
    export_token_classifier(str(trained), tmp_path / "classifier")
    model, report = AutoModelForTokenClassification.from_pretrained(
        tmp_path / "classifier", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.config.id2label == {0: "incorrect", 1: "correct"}
    assert type(model).__name__ == "LlamaForTokenClassification"
    AutoTokenizer.from_pretrained(tmp_path / "classifier")
    found = []
    for ids, ends in encoded(trained):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        found += logits.softmax(-1)[ends, 1].tolist()
    assert found == pytest.approx(rewards(trained), abs=1e-5)
