"""A reward is its step's alone: not its batch's, its order's or its padding's."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models
from transformers import (
    AutoConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    PreTrainedTokenizerFast,
    set_seed,
)

from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.flops import DecoderFlops
from multirm.models.load import load_model, load_tokenizer
from multirm.reward_models import discriminative
from multirm.reward_models.generative import flops_of
from multirm.scoring.discriminative import score_discriminative
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import step_candidates
from multirm.training.export import export_token_classifier
from tests.origins import made_of

WORDS = [
    "the",
    "treaty",
    "of",
    "signed",
    "in",
    "1648",
    "because",
    "12",
    "+",
    "30",
    "=",
    "42",
    "(C).",
]


def random_solutions(n: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)

    def text(longest: int) -> str:
        return " ".join(generator.choice(WORDS, generator.integers(1, longest)))

    return [
        {
            "dataset": "toy",
            "category": "history",
            "question_id": f"q{i // 4}",
            "solution_id": i % 4,
            "question": text(20),
            "answer": "C",
            "steps": [text(12) for _ in range(generator.integers(1, 7))],
            "parsed_answer": None,
            "outcome": 0,
            "step_labels": None,
        }
        for i in range(n)
    ]


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def run(model: Path, rows: Sequence[dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
        solutions, output = tmp_path / "solutions.parquet", tmp_path / "rewards.parquet"
        parquet.write(solutions, SOLUTIONS, rows, made_of())
        score_discriminative([f"toy={model}"], solutions, [output], **settings)
        return parquet.read(output, REWARDS).to_pylist()

    return run


def flat(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, int, int], float]:
    return {
        (row["question_id"], row["solution_id"], step): reward
        for row in rows
        for step, reward in enumerate(row["rewards"])
    }


def test_rewards_equal_a_plain_loop_over_transformers(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(12)
    scored = score(tiny_model, rows)
    model, tokenizer = load_model(str(tiny_model)), load_tokenizer(str(tiny_model))
    decoder = DecoderFlops.of(model.config)
    assert decoder is not None
    minus, plus = step_candidates(tokenizer)
    for row, got in zip(rows, scored, strict=True):
        text_ids = tokenizer(row["question"] + " \n\n")["input_ids"]
        expected = []
        for step in row["steps"]:
            text_ids = (
                text_ids + tokenizer(step + " \n\n\n\n", add_special_tokens=False)["input_ids"]
            )
            with torch.no_grad():
                logits = model(torch.tensor([text_ids], device=model.device)).logits[0, -1].float()
            expected.append(torch.sigmoid(logits[plus] - logits[minus]).item())
        assert got["rewards"] == pytest.approx(expected, abs=1e-5)
        assert (got["n_tokens_read"], got["n_tokens_generated"]) == (len(text_ids), 0)
        assert got["flops"] == decoder.reading(len(text_ids))
        assert not got["truncated"]
        for column in SOLUTIONS.key:
            assert got[column] == row[column]


def test_rewards_do_not_depend_on_batch_or_order(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(30)
    together = flat(score(tiny_model, rows))
    for variant in (
        flat(score(tiny_model, rows, batch_tokens=1)),
        flat(score(tiny_model, rows, batch_tokens=300)),
        flat(score(tiny_model, rows[::-1], batch_tokens=500)),
        flat(score(tiny_model, rows[:7])),
    ):
        assert variant == pytest.approx({key: together[key] for key in variant}, abs=1e-5)
    assert np.std(list(together.values())) > 1e-3


def test_shards_together_give_the_same_rewards(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(30)
    together = flat(score(tiny_model, rows))
    apart = {}
    for number in range(1, 4):
        apart.update(flat(score(tiny_model, rows, shard=f"{number}/3")))
    assert apart == pytest.approx(together, abs=1e-5)


def test_a_shard_without_pools_is_an_empty_table(tiny_model: Path, tmp_path: Path) -> None:
    solutions, output = tmp_path / "solutions.parquet", tmp_path / "rewards.parquet"
    rows = random_solutions(4)
    parquet.write(solutions, SOLUTIONS, rows, made_of())
    score_discriminative([f"toy={tiny_model}"], solutions, [output], shard="2/3")
    assert pq.read_table(output).num_rows == 0


def test_what_a_pool_shares_changes_nothing(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(12)
    for row in rows:
        # Long enough to be worth sharing.
        row["question"] = "Which treaty? " * 30
        row["steps"] = ["It was signed in 1648. " * 10, *row["steps"]]
    together = flat(score(tiny_model, rows))
    alone = flat(score(tiny_model, rows, batch_tokens=1))
    assert together == pytest.approx(alone, abs=1e-5)


def test_a_finished_part_is_not_scored_again(
    tiny_model: Path,
    tmp_path: Path,
    score: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = random_solutions(30)
    undisturbed = score(tiny_model, rows, batch_tokens=200)
    (tmp_path / "rewards.parquet").unlink()
    read: list[int] = []
    original = discriminative.rewards_at

    def failing(network: Any, head: Any, solutions: Sequence[Any]) -> Any:
        if len(read) == 3:
            raise RuntimeError
        read.append(len(solutions))
        return original(network, head, solutions)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(discriminative, "rewards_at", failing)
        score(tiny_model, rows, batch_tokens=200)
    assert not (tmp_path / "rewards.parquet").exists()
    finished = sum(read)

    def counting(network: Any, head: Any, solutions: Sequence[Any]) -> Any:
        read.append(len(solutions))
        return original(network, head, solutions)

    read.clear()
    monkeypatch.setattr(discriminative, "rewards_at", counting)
    assert score(tiny_model, rows, batch_tokens=200) == undisturbed
    assert sum(read) == len(rows) - finished
    assert not list(tmp_path.glob(".*"))


def test_several_adapters_are_scored_on_one_base(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(8)
    for name, target in (("dORM", "q_proj"), ("dPRM", "up_proj")):
        config = LoraConfig(r=4, target_modules=[target], init_lora_weights=False)
        adapted = get_peft_model(load_model(str(tiny_model)), config)
        # Without a tokenizer of its own: the base's is taken.
        adapted.save_pretrained(tmp_path / name)
    alone = {name: score(tmp_path / name, rows) for name in ("dORM", "dPRM")}
    score_discriminative(
        [f"{name}={tmp_path / name}" for name in alone],
        tmp_path / "solutions.parquet",
        [tmp_path / f"{name}.parquet" for name in alone],
    )
    for name, expected in alone.items():
        together = parquet.read(tmp_path / f"{name}.parquet", REWARDS).to_pylist()
        assert flat(together) == pytest.approx(flat(expected), abs=1e-6)
        assert {row["model"] for row in together} == {name}
    assert flat(alone["dORM"]) != pytest.approx(flat(alone["dPRM"]), abs=1e-3)


@pytest.mark.parametrize(
    ("models", "outputs", "message"),
    [
        (["model"], ["r"], "--model: expected NAME=PATH, such as dPRM=models/dPRM, found 'model'"),
        (["=model"], ["r"], "--model: expected NAME=PATH"),
        (["a=m", "b=m"], ["r"], "--output: expected a table for each of 2 models, found 1"),
        (
            ["a=m", "b=m"],
            ["r", "r"],
            "--output: expected a separate path for each output, found --output",
        ),
    ],
)
def test_models_without_name_or_table_are_refused(
    tmp_path: Path, models: list[str], outputs: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_discriminative(models, tmp_path / "s.parquet", [tmp_path / name for name in outputs])


def test_solutions_over_the_models_length_are_marked_not_cut(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(3)
    rows[1]["steps"] = ["because " * 200, "so (C)."]
    scored = score(tiny_model, rows)
    assert [row["truncated"] for row in scored] == [False, True, False]
    assert scored[1]["rewards"] == [None, None]
    assert (scored[1]["n_tokens_read"], scored[1]["flops"]) == (0, 0)
    assert None not in scored[0]["rewards"] + scored[2]["rewards"]


def test_an_adapter_scores_like_its_merged_model(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    config = LoraConfig(
        r=4, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM", init_lora_weights=False
    )
    adapted = get_peft_model(load_model(str(tiny_model)), config)
    adapted.save_pretrained(tmp_path / "adapter")
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    for folder in ("adapter", "merged"):
        load_tokenizer(str(tiny_model)).save_pretrained(tmp_path / folder)
    rows = random_solutions(8)
    by_adapter, by_merged = (score(tmp_path / folder, rows) for folder in ("adapter", "merged"))
    assert flat(by_adapter) == pytest.approx(flat(by_merged), abs=1e-5)
    assert flat(by_adapter) != pytest.approx(flat(score(tiny_model, rows)), abs=1e-3)
    # Also where the adapter is computed separately, it costs as much as if it were merged.
    separately = score(tmp_path / "adapter", rows, dtype=Dtype.BFLOAT16)
    flops = [row["flops"] for row in by_merged]
    assert [row["flops"] for row in by_adapter] == [row["flops"] for row in separately] == flops
    assert flops_of(str(tmp_path / "adapter")) == flops_of(str(tmp_path / "merged"))


def test_the_footer_says_how_rewards_were_made(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    score(tiny_model, random_solutions(2))
    footer = parquet.read_footer(tmp_path / "rewards.parquet")
    assert footer.parameters["dtype"] in ("float32", "bfloat16")
    assert footer.parameters["engine"] == "transformers"
    assert {"model", "batch_tokens", "shard"} < set(footer.parameters)
    assert footer.parameters["weights"] == [tiny_model.name]
    assert tiny_model.name in footer.inputs


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.BFLOAT16])
def test_rewards_are_of_the_precision_asked_for(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]], dtype: Dtype
) -> None:
    rows = random_solutions(8)
    exact = flat(score(tiny_model, rows, dtype=Dtype.FLOAT32))
    found = flat(score(tiny_model, rows, dtype=dtype))
    assert parquet.read_footer(tmp_path / "rewards.parquet").parameters["dtype"] == dtype
    assert found == pytest.approx(exact, abs=0.01)
    assert (found == pytest.approx(exact, abs=1e-6)) == (dtype is Dtype.FLOAT32)


def test_an_empty_split_is_refused(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    with pytest.raises(InputError, match=r"solutions\.parquet: expected at least one solution"):
        score(tiny_model, [])
    assert not (tmp_path / "rewards.parquet").exists()


def test_a_tokenizer_without_the_candidates_is_refused(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    words = Tokenizer(models.WordLevel({"?": 0, "+": 1}, unk_token="?"))
    without = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?", pad_token="?")
    without.save_pretrained(folder)
    with pytest.raises(InputError, match="'-' to be a single token"):
        score(folder, random_solutions(2))
    assert not (tmp_path / "rewards.parquet").exists()


CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "<|eos|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture
def classifiers(tiny_model: Path, tmp_path: Path) -> Callable[[Any, int], Path]:
    """Makes classifiers with random weights, of the tiny model's shape and with its tokenizer."""

    def made(kind: Any, n_labels: int) -> Path:
        folder = tmp_path / kind.__name__
        set_seed(5)
        config = AutoConfig.from_pretrained(tiny_model)
        config.num_labels = n_labels
        network = kind(config)
        if hasattr(network, "score"):
            torch.nn.init.normal_(network.score.weight)
        network.save_pretrained(folder)
        tokenizer = load_tokenizer(str(tiny_model))
        tokenizer.chat_template = CHAT
        tokenizer.save_pretrained(folder)
        return folder

    return made


def test_a_token_classifier_scores_each_step(
    classifiers: Callable[[Any, int], Path],
    tmp_path: Path,
    score: Callable[..., list[dict[str, Any]]],
) -> None:
    folder, rows = classifiers(LlamaForTokenClassification, 2), random_solutions(8)
    network, tokenizer = (
        LlamaForTokenClassification.from_pretrained(folder),
        load_tokenizer(str(folder)),
    )
    for row, got in zip(rows, score(folder, rows, format=FormatName.TRL), strict=True):
        ids = [tokenizer.bos_token_id, *tokenizer.encode(row["question"], add_special_tokens=False)]
        expected = []
        for step in row["steps"]:
            for text in (step, "\n"):
                ids += tokenizer.encode(text, add_special_tokens=False)
            with torch.no_grad():
                classes = network(torch.tensor([ids])).logits[0, -1].softmax(-1)
            expected.append(classes[1].item())
        assert got["rewards"] == pytest.approx(expected, abs=1e-5)
        assert (got["unit"], got["scale"], got["n_tokens_read"]) == (
            "step",
            "probability",
            len(ids),
        )
    footer = parquet.read_footer(tmp_path / "rewards.parquet")
    assert footer.parameters["format"] == "trl"
    assert "trl.toml" in {Path(name).name for name in footer.inputs}


def test_a_sequence_classifier_scores_the_solution(
    classifiers: Callable[[Any, int], Path], score: Callable[..., list[dict[str, Any]]]
) -> None:
    folder, rows = classifiers(LlamaForSequenceClassification, 1), random_solutions(8)
    network, tokenizer = (
        LlamaForSequenceClassification.from_pretrained(folder),
        load_tokenizer(str(folder)),
    )
    for row, got in zip(rows, score(folder, rows, format=FormatName.CLASSIFIER), strict=True):
        solution = "\n\n".join(row["steps"])
        text = f"<|bos|><|user|>{row['question']}<|eos|><|assistant|>{solution}<|eos|>"
        ids = tokenizer.encode(text, add_special_tokens=False)
        with torch.no_grad():
            expected = network(torch.tensor([ids])).logits[0].tolist()
        assert got["rewards"] == pytest.approx(expected, abs=1e-5)
        assert (got["unit"], got["scale"]) == ("solution", "score")


def test_a_log_ratio_is_of_two_models(
    classifiers: Callable[[Any, int], Path],
    tiny_model: Path,
    tmp_path: Path,
    score: Callable[..., list[dict[str, Any]]],
) -> None:
    folder, rows = classifiers(LlamaForCausalLM, 2), random_solutions(4)
    scored = score(folder, rows, format=FormatName.EURUS_PRM, reference=str(tiny_model))
    assert [len(row["rewards"]) for row in scored] == [len(row["steps"]) for row in rows]
    assert {row["scale"] for row in scored} == {"score"}
    assert len(set(flat(scored).values())) > 4
    same = score(folder, rows, format=FormatName.EURUS_PRM, reference=str(folder))
    assert flat(same) == pytest.approx(dict.fromkeys(flat(same), 0.0), abs=1e-8)
    footer = parquet.read_footer(tmp_path / "rewards.parquet")
    assert footer.parameters["weights"] == [folder.name, folder.name]


def test_what_a_format_does_not_use_is_refused(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows, words = random_solutions(2), tmp_path / "words.txt"
    words.write_text("{question}")
    with pytest.raises(InputError, match="--format: expected a format with a reference model"):
        score(tiny_model, rows, reference=str(tiny_model))
    with pytest.raises(InputError, match="--reference: expected none with the format trl"):
        score(tiny_model, rows, format=FormatName.TRL, reference=str(tiny_model))
    with pytest.raises(InputError, match="a format with a chat, for a template"):
        score(tiny_model, rows, format=FormatName.TRL, template=words)
    with pytest.raises(InputError, match="a format of discriminative reward models"):
        score(tiny_model, rows, format=FormatName.THINK_PRM)
    with pytest.raises(InputError, match="the linear layer score among its weights"):
        score(tiny_model, rows, format=FormatName.TRL)


def test_engines_that_cannot_score_are_refused(
    tiny_model: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(2)
    with pytest.raises(InputError, match="discriminative models, transformers or vllm, found open"):
        score(tiny_model, rows, engine=EngineName.OPENAI)
    with pytest.raises(InputError, match="--batch-tokens: expected none with the engine vllm"):
        score(tiny_model, rows, engine=EngineName.VLLM, batch_tokens=9)
    with pytest.raises(InputError, match="whose head vLLM does not serve, found vllm"):
        score(tiny_model, rows, engine=EngineName.VLLM, format=FormatName.EURUS_PRM)
    with pytest.raises(InputError, match="expected vLLM in the environment of the job"):
        score(tiny_model, rows, engine=EngineName.VLLM)


def test_an_exported_model_scores_as_the_model(
    tiny_model: Path, tmp_path: Path, score: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = random_solutions(8)
    export_token_classifier(str(tiny_model), tmp_path / "exported")
    whole, exported = score(tiny_model, rows), score(tmp_path / "exported", rows)
    assert flat(exported) == pytest.approx(flat(whole), abs=1e-6)
    # Also between others.
    names = [f"{name}={place}" for name, place in (("a", tiny_model), ("b", tmp_path / "exported"))]
    outputs = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    score_discriminative(names, tmp_path / "solutions.parquet", outputs)
    for output in outputs:
        found = parquet.read(output, REWARDS).to_pylist()
        assert flat(found) == pytest.approx(flat(whole), abs=1e-6)
