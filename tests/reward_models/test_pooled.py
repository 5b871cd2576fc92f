"""Rewards through vLLM are those of transformers, for each kind of head; and what happens around vLLM."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
    set_seed,
)

from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.load import load_model, load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import read_format, writes_verdicts
from multirm.reward_models.layouts import EncodedText
from multirm.reward_models.pooled import PooledModel, Served, load_pooled
from multirm.scoring.discriminative import score_discriminative
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import encode_solution
from multirm.training.export import export_token_classifier
from tests.origins import made_of

CONTEXT = 256
SCRIPT = Path(__file__).with_name("score_in_vllm.py")

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "<|eos|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

QUESTION = "Which treaty was it, that was signed in 1648? "

STEPS = [
    ("It was signed in 1648.", "So it is (C)."),
    ("It was signed in 1648.", "No: 12 + 30 = 42.", "It is (A)."),
    ("<extra_0>", "\n?", " ends with spaces  "),
    ("because " * 200, "so (C)."),
    ("The answer is (C).",),
]


def config_of(family: type[PreTrainedConfig], n_tokens: int, **more: Any) -> PreTrainedConfig:
    """Heads are as wide as vLLM's attention on CPUs asks for."""
    return family(
        vocab_size=n_tokens,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.2,
        **more,
    )


@pytest.fixture(scope="module")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small random model for each kind of head, all with one tokenizer."""
    root = tmp_path_factory.mktemp("models")
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.add_tokens(["<extra_0>"])
    tokenizer.chat_template = CHAT
    size = len(tokenizer)

    def saved(name: str, network: nn.Module) -> Path:
        network.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
        return root / name

    set_seed(0)
    base = saved("base", LlamaForCausalLM(config_of(LlamaConfig, size, tie_word_embeddings=True)))
    lora = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    saved("adapter", get_peft_model(load_model(str(base)), lora))
    export_token_classifier(str(root / "adapter"), root / "exported")
    labelled = Qwen2ForTokenClassification(config_of(Qwen2Config, size))
    nn.init.normal_(labelled.score.bias)
    saved("trl", labelled)
    saved("classifier", LlamaForSequenceClassification(config_of(LlamaConfig, size, num_labels=1)))
    for name, head in (
        ("qwen_prm", {"score.0": nn.Linear(64, 64), "score.2": nn.Linear(64, 2)}),
        ("skywork_o1", {"v_head.summary": nn.Linear(64, 1)}),
    ):
        place = saved(name, Qwen2ForCausalLM(config_of(Qwen2Config, size))) / "model.safetensors"
        weights = load_file(place)
        for layer, linear in head.items():
            nn.init.normal_(linear.weight, std=0.2)
            weights |= {f"{layer}.{part}": value for part, value in linear.state_dict().items()}
        save_file(weights, place, {"format": "pt"})
    return root


@pytest.fixture(scope="module")
def solutions(models: Path) -> Path:
    """A table with pools that share a long question, and a text exactly as long as the context."""
    path = models / "solutions.parquet"
    steps = [*STEPS, whole_context(models / "base")]
    rows = [
        {
            "dataset": "toy",
            "category": "history",
            "question_id": f"q{pool}",
            "solution_id": number,
            "question": question,
            "answer": "C",
            "steps": [*each],
            "parsed_answer": None,
            "outcome": 0,
            "step_labels": None,
        }
        for pool, question in enumerate([QUESTION, QUESTION * 3])
        for number, each in enumerate(steps)
    ]
    parquet.write(path, SOLUTIONS, rows, made_of())
    return path


def whole_context(model: Path) -> tuple[str, ...]:
    """Steps that fill the context of a dPRM after `QUESTION`."""
    tokenizer = load_tokenizer(str(model))
    for number in range(CONTEXT):
        steps = ("No: 12 + 30.", "7" * number)
        if len(encode_solution(tokenizer, QUESTION, steps).ids) == CONTEXT:
            return steps
    raise AssertionError


JOBS: dict[str, dict[str, Any]] = {
    "killed": {"model": "adapter", "dies_after": 1},
    "adapter": {"model": "adapter"},
    "exported": {"model": "exported"},
    "trl": {"model": "trl", "format": "trl"},
    "qwen_prm": {"model": "qwen_prm", "format": "qwen_prm"},
    "classifier": {"model": "classifier", "format": "classifier"},
}


@pytest.fixture(scope="module")
def in_vllm(vllm_python: Path, models: Path, solutions: Path) -> dict[str, dict[str, Any]]:
    """What came of each job. All run in one process, because it takes long to import vLLM."""
    # The second goes on where the first was killed.
    outputs = {name: models / f"{job['model']}.vllm.parquet" for name, job in JOBS.items()}
    jobs = [
        {**job, "model": str(models / job["model"])}
        | {"solutions": str(solutions), "output": str(outputs[name])}
        for name, job in JOBS.items()
    ]
    asked, told = models / "jobs.json", models / "told.json"
    asked.write_text(json.dumps(jobs))
    run = subprocess.run(
        [vllm_python, SCRIPT, asked, told],
        capture_output=True,
        text=True,
        check=False,
        # Without processes of their own, engines start in a third of the time.
        env=os.environ
        | {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        },
    )
    assert run.returncode == 0, run.stderr[-4000:]
    return {
        name: {**found, "output": outputs[name]}
        for name, found in zip(JOBS, json.loads(told.read_text()), strict=True)
    }


@pytest.mark.parametrize("name", [name for name in JOBS if name != "killed"])
def test_rewards_are_those_of_transformers(
    in_vllm: dict[str, dict[str, Any]], models: Path, solutions: Path, tmp_path: Path, name: str
) -> None:
    found, job = in_vllm[name], JOBS[name]
    assert found["message"] is None
    score_discriminative(
        [f"toy={models / job['model']}"],
        solutions,
        [tmp_path / "r.parquet"],
        format=FormatName(job.get("format", "multi_rm")),
        dtype=Dtype.FLOAT32,
    )
    expected = parquet.read(tmp_path / "r.parquet", REWARDS).to_pylist()
    rows = parquet.read(found["output"], REWARDS).to_pylist()
    for row, other in zip(rows, expected, strict=True):
        assert row["rewards"] == pytest.approx(other["rewards"], abs=1e-4)
        assert {**row, "rewards": None} == {**other, "rewards": None}
    values = [reward for row in rows for reward in row["rewards"] if reward is not None]
    assert np.std(values) > 0.02
    assert [row["truncated"] for row in rows].count(True) >= 2
    parameters = parquet.read_footer(found["output"]).parameters
    assert (parameters["engine"], parameters["batch_tokens"]) == ("vllm", None)


def test_a_killed_job_goes_on(in_vllm: dict[str, dict[str, Any]], solutions: Path) -> None:
    assert in_vllm["killed"]["message"] == "killed"
    n_fitting = sum(
        not row["truncated"]
        for row in parquet.read(in_vllm["adapter"]["output"], REWARDS).to_pylist()
    )
    first, second = in_vllm["killed"]["n_read"], in_vllm["adapter"]["n_read"]
    assert first > 0 and second > 0
    assert first + second == n_fitting


def test_prefixes_are_shared_only_for_rewards_of_solutions(
    in_vllm: dict[str, dict[str, Any]],
) -> None:
    """As the docs say of this version of vLLM."""
    sharing = {name for name, found in in_vllm.items() if found["n_cached"] > 0}
    assert sharing == {"classifier"}


def test_a_text_as_long_as_the_context_is_read(in_vllm: dict[str, dict[str, Any]]) -> None:
    rows = parquet.read(in_vllm["exported"]["output"], REWARDS).to_pylist()
    [longest] = [row for row in rows if row["n_tokens_read"] == CONTEXT]
    assert None not in longest["rewards"]


def refused(model: Path, format: FormatName | None = None, dtype: Dtype = Dtype.FLOAT32) -> str:
    """Before vLLM is imported, which is not in this environment."""
    with pytest.raises(InputError) as error:
        load_pooled(model, dtype, None if format is None else read_format(format))
    return str(error.value)


def test_what_vllm_does_not_serve_is_refused_with_a_remedy(models: Path) -> None:
    said = refused(models / "skywork_o1", FormatName.SKYWORK_O1)
    assert "found that of the format skywork_o1; use the engine transformers" in said
    assert "that of the format eurus_prm" in refused(models / "base", FormatName.EURUS_PRM)
    said = refused(models / "adapter", dtype=Dtype.BFLOAT16)
    assert "vLLM rounds what an adapter adds, found bfloat16; add --dtype float32, or use" in said
    assert "expected a whole model" in refused(models / "adapter", FormatName.TRL)
    assert "1 outputs of score, found 2" in refused(models / "trl", FormatName.CLASSIFIER)
    assert "the linear layer score among" in refused(models / "base", FormatName.TRL)


def test_an_adapter_of_the_output_layer_is_refused(models: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(models / "base"))
    LlamaForCausalLM(config_of(LlamaConfig, len(tokenizer))).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    settings = LoraConfig(r=2, target_modules=["lm_head", "q_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(load_model(str(tmp_path / "base")), settings)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    said = refused(tmp_path / "adapter")
    assert "an adapter of lm_head.weight, its output layer; use the engine transformers" in said


def test_two_layers_over_another_decoder_are_refused(models: Path, tmp_path: Path) -> None:
    weights = load_file(models / "qwen_prm" / "model.safetensors")
    head = {name: value for name, value in weights.items() if name.startswith("score")}
    network = LlamaForCausalLM(config_of(LlamaConfig, len(load_tokenizer(str(models / "base")))))
    network.save_pretrained(tmp_path)
    load_tokenizer(str(models / "base")).save_pretrained(tmp_path)
    place = tmp_path / "model.safetensors"
    save_file(load_file(place) | head, place, {"format": "pt"})
    said = refused(tmp_path, FormatName.QWEN_PRM)
    assert "found score.0 and score.2 of a llama; use the engine transformers" in said


def test_the_formats_that_vllm_serves() -> None:
    others = {FormatName.SKYWORK_O1, FormatName.REASON_EVAL, FormatName.EURUS_PRM}
    others |= {FormatName.CLASSIFIER_STEPS}
    read = [each for each in FormatName if each is not FormatName.MULTI_RM]
    for name in (each for each in read if not writes_verdicts(each)):
        assert read_format(name).is_of_vllm == (name not in others)


class Counting:
    """Gives each token its id as the only output, texts in reverse order, two at a time."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int]]] = []

    def read(
        self, texts: Iterable[tuple[int, list[int]]], at_end: bool
    ) -> Iterator[dict[int, Tensor]]:
        self.asked = [*texts]
        for start in range(0, len(self.asked), 2):
            yield {
                number: torch.tensor(ids[-1:] if at_end else ids).float()[:, None]
                for number, ids in self.asked[::-1][start : start + 2]
            }

    def stop(self) -> None:
        pass


def encode(solution: Solution) -> EncodedText:
    """A word is a token, its length; a step is read at its last word, and an empty one nowhere."""
    ids, places = [len(word) for word in solution.question.split()], list[int | None]()
    for step in solution.steps:
        ids += [len(word) for word in step.split()]
        places.append(len(ids) - 1 if step.split() else None)
    return EncodedText([*ids, 99], places)


@pytest.fixture
def counted() -> Callable[[Unit], tuple[PooledModel, Counting]]:
    def made(unit: Unit) -> tuple[PooledModel, Counting]:
        config = LlamaConfig(max_position_embeddings=9)
        classifier, served = Counting(), Served(config, lambda outputs: outputs[:, 0])
        return PooledModel(classifier, encode, served, unit, Scale.SCORE), classifier

    return made


def test_rewards_are_read_at_their_places(
    counted: Callable[[Unit], tuple[PooledModel, Counting]],
) -> None:
    model, classifier = counted(Unit.STEP)
    given = [
        Solution("Why so", ("a bcd", "", "efghi")),
        Solution("Why", ("one two " * 9,)),
        Solution("Why", ("", "")),
        Solution("Why", ()),
        Solution("How", ("ab", "abc")),
    ]
    found = model.score(given)
    assert [each.rewards for each in found] == [(3, None, 5), (None,), (None, None), (), (2, 3)]
    assert [each.truncated for each in found] == [False, True, False, False, False]
    assert [each.n_tokens_read for each in found] == [6, 0, 2, 2, 4]
    # Neither those without a place nor what follows the last place.
    assert classifier.asked == [(0, [3, 2, 1, 3, 5]), (4, [3, 2, 3])]
    batches = [*model.score_in_batches(given, done={1, 2, 4})]
    assert batches == [{3: found[3]}, {0: found[0]}]
    assert [*model.score_in_batches(given, done=range(5))] == []


def test_a_reward_of_the_solution_is_read_at_its_place(
    counted: Callable[[Unit], tuple[PooledModel, Counting]],
) -> None:
    model, classifier = counted(Unit.SOLUTION)
    [found] = model.score([Solution("Why", ("abc",))])
    assert found.rewards == (3,)
    assert classifier.asked == [(0, [3, 3])]
