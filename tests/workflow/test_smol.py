"""The study of a real model, with few questions: real weights learn from real labels, and score as peft says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from multirm.study.load import read_yaml
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES
from multirm.tables.verification import STEP_VERIFICATION
from tests.workflow.test_study import ROOT, snakemake

CATEGORIES = ["math", "gsm8k", "biology", "logical_deduction"]
FEW = {
    "PRMBench_train": 5,
    "MR-Ben_train": 2,
    "ProcessBench": 3,
    "BIG-Bench-Mistake": 3,
    "GSM8K": 3,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, smollm2: Path, shared_data: Path) -> Path:
    """Results of the study with few questions, made by the workflow."""
    folder = tmp_path_factory.mktemp("smol")
    changes = {"data": str(shared_data), "categories": CATEGORIES}
    study: dict[str, Any] = read_yaml(ROOT / "config" / "smol.yaml") | changes
    for settings in study["datasets"].values():
        if "categories" in settings:
            settings["categories"] = [c for c in settings["categories"] if c in CATEGORIES]
    for name, questions in FEW.items():
        study["datasets"][name]["take"]["questions"] = questions
    study["datasets"]["PRMBench"]["questions"] = 3
    study["backbones"]["smol"]["model"] = str(smollm2)
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    made = folder / study["results"] / "evaluation"
    run = snakemake(
        folder,
        *("--configfile", str(folder / "study.yaml"), "--"),
        *(
            f"{made.relative_to(folder)}/{name}/step_verification.parquet"
            for name in ("PRMBench", "ProcessBench", "BIG-Bench-Mistake")
        ),
        f"{made.relative_to(folder)}/GSM8K/accuracy.parquet",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return made.parent


def test_real_weights_learn(results: Path) -> None:
    for name in ("dORM-smol", "dPRM-smol"):
        losses = parquet.read(results / "models" / name / "curve.parquet", CURVES)["loss"]
        assert losses[-1].as_py() < losses[0].as_py()


def test_the_model_before_training_is_measured_beside_it(results: Path) -> None:
    for name in ("PRMBench", "ProcessBench", "BIG-Bench-Mistake"):
        table = parquet.read(
            results / "evaluation" / name / "step_verification.parquet", STEP_VERIFICATION
        )
        assert {"dPRM-smol", "untrained"} <= {*table["model"].to_pylist()}


def test_rewards_are_those_of_transformers_and_peft(results: Path) -> None:
    """One text at a time, with all logits, encoded piece by piece here."""
    folder = results / "models" / "dPRM-smol" / "adapter"
    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    start = (folder / base).resolve() if not Path(base).is_absolute() else base
    tokenizer = AutoTokenizer.from_pretrained(start)
    plain = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    model = PeftModel.from_pretrained(plain, folder).eval()
    minus, plus = (tokenizer.encode(sign, add_special_tokens=False) for sign in "-+")
    solutions = parquet.read(results / "data" / "PRMBench" / "math.parquet", SOLUTIONS).to_pylist()
    rewards = parquet.read(
        results / "rewards" / "dPRM-smol" / "PRMBench" / "math.parquet", REWARDS
    ).to_pylist()
    for solution, scored in list(zip(solutions, rewards, strict=True))[:5]:
        ids = tokenizer.encode(solution["question"] + " \n\n")
        ends = []
        for step in solution["steps"]:
            ids += tokenizer.encode(step + " \n\n\n\n", add_special_tokens=False)
            ends.append(len(ids) - 1)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, ends]
        expected = logits[:, [*minus, *plus]].softmax(dim=-1)[:, 1]
        torch.testing.assert_close(
            torch.tensor(scored["rewards"]), expected, atol=1e-4, rtol=0, check_dtype=False
        )
