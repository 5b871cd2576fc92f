"""A dPRM gives the same rewards through vLLM, merged or exported as a token classifier."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    LlamaForCausalLM,
    set_seed,
)

from multirm.models.load import load_model, load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.text.encoding import STEP_END, encode_solution, step_candidates
from multirm.training.export import export_token_classifier
from multirm.training.merge import merge_adapter
from tests.engines.conftest import KEY, start_server
from tests.training.test_discriminative import toy_solutions

SOLUTIONS_TO_SCORE = [
    Solution(row["question"], tuple(row["steps"])) for row in toy_solutions(4)
] + [Solution("A longer question, with more words in it?", ("First this.", "So it is not!"))]

# As documented in docs/training.md.
OPTIONS = [
    *("--runner", "pooling", "--convert", "classify", "--hf-overrides"),
    '{"classifier_from_token": ["-", "+"], "method": "no_post_processing"}',
    "--pooler-config",
]
POOLER = '{"task": "token_classify", "tok_pooling_type": "STEP", "step_tag_id": %d}'

CLASSIFY = """
import json, sys
from vllm import LLM
from vllm.config import PoolerConfig
folder, texts = json.load(sys.stdin)
llm = LLM(
    folder, runner="pooling", dtype="float32", enforce_eager=True, max_model_len=256,
    pooler_config=PoolerConfig(task="token_classify", tok_pooling_type="ALL"),
)
found = llm.encode([{"prompt_token_ids": ids} for ids in texts], pooling_task="token_classify", use_tqdm=False)
with open(sys.argv[1], "w") as file:
    json.dump([each.outputs.data.tolist() for each in found], file)
"""


@pytest.fixture(scope="module")
def step_model(sure_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as wide as that, less sure, and a step end is one token, as in Llama's and Qwen's."""
    folder = tmp_path_factory.mktemp("step_model")
    tokenizer = load_tokenizer(str(sure_model))
    set_seed(0)
    model = LlamaForCausalLM(load_model(str(sure_model)).config)
    tokenizer.add_tokens([STEP_END])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        model.lm_head.weight[list(step_candidates(tokenizer))].mul_(20)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(step_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter for it, random and large enough to change the rewards."""
    folder = tmp_path_factory.mktemp("adapter")
    set_seed(1)
    settings = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    get_peft_model(load_model(str(step_model)), settings).save_pretrained(folder)
    return folder


def rewards(model: Path) -> list[float]:
    found = load_discriminative(model).score(SOLUTIONS_TO_SCORE)
    return [float(reward or 0) for each in found for reward in each.rewards]


def encoded(model: Path) -> list[tuple[list[int], list[int]]]:
    tokenizer = load_tokenizer(str(model))
    texts = [encode_solution(tokenizer, s.question, s.steps) for s in SOLUTIONS_TO_SCORE]
    return [(text.ids, text.step_ends) for text in texts]


def test_a_server_of_vllm_gives_the_rewards_of_a_merged_model(
    vllm_python: Path, step_model: Path, adapter: Path, tmp_path: Path
) -> None:
    merge_adapter(str(step_model), adapter, tmp_path / "merged")
    [tag] = load_tokenizer(str(adapter)).encode(STEP_END, add_special_tokens=False)
    server = start_server(
        vllm_python, tmp_path / "merged", tmp_path / "log", *OPTIONS, POOLER % tag
    )
    try:
        texts = [ids for ids, _ in encoded(adapter)]
        asked = {"model": "sure", "input": texts, "task": "token_classify"}
        request = urllib.request.Request(
            server.address.removesuffix("/v1") + "/pooling",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(request) as answer:
            pools = [each["data"] for each in json.load(answer)["data"]]
    finally:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
    expected = rewards(adapter)
    assert [step[1] for pool in pools for step in pool] == pytest.approx(expected, abs=1e-4)


def test_vllm_gives_the_rewards_of_an_exported_classifier(
    vllm_python: Path, adapter: Path, tmp_path: Path
) -> None:
    export_token_classifier(str(adapter), tmp_path / "classifier")
    texts, output = encoded(adapter), tmp_path / "classes.json"
    run = subprocess.run(
        [str(vllm_python), "-c", CLASSIFY, str(output)],
        input=json.dumps([str(tmp_path / "classifier"), [ids for ids, _ in texts]]),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    classes = json.loads(output.read_text())
    found = [each[end][1] for each, (_, ends) in zip(classes, texts, strict=True) for end in ends]
    assert found == pytest.approx(rewards(adapter), abs=1e-4)


def test_transformers_loads_an_exported_classifier(adapter: Path, tmp_path: Path) -> None:
    expected = rewards(adapter)
    assert max(expected) - min(expected) > 0.05
    export_token_classifier(str(adapter), tmp_path / "classifier")
    model, report = AutoModelForTokenClassification.from_pretrained(
        tmp_path / "classifier", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.config.id2label == {0: "incorrect", 1: "correct"}
    assert type(model).__name__ == "LlamaForTokenClassification"
    AutoTokenizer.from_pretrained(tmp_path / "classifier")
    found = []
    for ids, ends in encoded(adapter):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        found += logits.softmax(-1)[ends, 1].tolist()
    assert found == pytest.approx(expected, abs=1e-5)
