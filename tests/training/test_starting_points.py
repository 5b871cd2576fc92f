"""Training starts from a base model, a reward model or an adapter, and trains an adapter or all weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from multirm.errors import InputError
from multirm.models.learned_from import learned_by, question_digest
from multirm.models.load import load_model
from multirm.models.training_method import Method
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.running.provenance import TUNED, read_from_folder
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative
from multirm.training.merge import merge_adapter
from tests.origins import made_of
from tests.training.test_discriminative import toy_solutions

SCORED = [Solution("Is it lawful?", ("It is so.", "It was not!"))]


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Train on a question; return the folder of the model."""

    def run(start: Path, name: str, question: str = "Is it lawful?", **settings: Any) -> Path:
        table = tmp_path / f"{name}.parquet"
        rows = [row | {"question": question} for row in toy_solutions(8)]
        parquet.write(table, SOLUTIONS, rows, made_of())
        train_discriminative(
            backbone=str(start),
            solutions=[table],
            output=tmp_path / name,
            recipe=DiscriminativeRecipe(
                **({"batch_size": 4, "learning_rate": 1e-2, "warmup": 0.0} | settings)
            ),
        )
        return tmp_path / name

    return run


def rewards(model: Path) -> list[float]:
    [found] = load_discriminative(model).score(SCORED)
    return [float(reward or 0) for reward in found.rewards]


def test_full_fine_tuning_makes_an_ordinary_model_folder(
    tiny_model: Path, train: Callable[..., Path]
) -> None:
    made = train(tiny_model, "full", method=Method.FULL)
    names = {path.name for path in made.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "provenance.json"} <= names
    assert not any(name.startswith("adapter") for name in names)
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_model, made))
    assert before.keys() == after.keys()
    unchanged = [name for name in before if torch.equal(before[name], after[name])]
    assert not unchanged
    assert all(weight.dtype == torch.float32 for weight in after.values())
    # Without multirm.
    model = AutoModelForCausalLM.from_pretrained(made)
    assert model.config._attn_implementation != "packed"
    provenance = read_from_folder(made)
    assert provenance and provenance.made == TUNED
    assert provenance.parameters["method"] == "full" and "rank" not in provenance.parameters
    assert rewards(made) != pytest.approx(rewards(tiny_model), abs=1e-3)
    # A reward model is a start like any other, also for an adapter.
    again = train(made, "adapter", question="Is it fair?")
    assert (again / "adapter_config.json").is_file()
    assert learned_by(str(again)) == {
        question_digest(text) for text in ("Is it lawful?", "Is it fair?")
    }
    assert rewards(again) != pytest.approx(rewards(made), abs=1e-3)


def test_an_adapter_is_trained_on_as_one_adapter_of_its_base(
    tiny_model: Path, train: Callable[..., Path]
) -> None:
    first = train(tiny_model, "first")
    second = train(first, "second", question="Is it fair?", learning_rate=1e-9, dropout=0.5)
    settings = json.loads((second / "adapter_config.json").read_text())
    assert Path(settings["base_model_name_or_path"]).samefile(tiny_model)
    assert settings["lora_dropout"] == 0.5
    # It went on from the first one's weights, and dropout was on only in training.
    assert rewards(second) == pytest.approx(rewards(first), abs=1e-4)
    assert rewards(second) != pytest.approx(rewards(tiny_model), abs=1e-3)
    weights = load_file(second / "adapter_model.safetensors")
    assert weights.keys() == load_file(first / "adapter_model.safetensors").keys()
    assert len(learned_by(str(second)) or ()) == 2
    merge_adapter(str(tiny_model), second, second.with_name("merged"))
    assert rewards(second.with_name("merged")) == pytest.approx(rewards(second), abs=1e-5)
    with pytest.raises(InputError, match="rank 4 and alpha 32, to train it on, found rank 16 and"):
        train(first, "third", rank=4)


def test_all_weights_of_an_adapter_and_its_base(
    tiny_model: Path, train: Callable[..., Path]
) -> None:
    first = train(tiny_model, "first")
    full = train(first, "full", method=Method.FULL, learning_rate=1e-9)
    assert rewards(full) == pytest.approx(rewards(first), abs=1e-4)
    inputs = (read_from_folder(full) or pytest.fail()).inputs
    assert len([name for name in inputs if not name.endswith(".parquet")]) == 2
    before = load_file(tiny_model / "model.safetensors")
    after = load_file(full / "model.safetensors")
    assert not torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])


def test_an_adapter_with_whole_layers_is_not_trained_on(
    tiny_model: Path, train: Callable[..., Path], tmp_path: Path
) -> None:
    first = train(tiny_model, "first")
    settings = json.loads((first / "adapter_config.json").read_text())
    settings["modules_to_save"] = ["lm_head"]
    (first / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"low-rank products alone.* found modules_to_save; merge"):
        train(first, "second")


def test_a_model_of_the_other_method_is_not_replaced(
    tiny_model: Path, train: Callable[..., Path]
) -> None:
    made = train(tiny_model, "made")
    with pytest.raises(InputError, match=r"made by multirm \(fine-tuned model\).*\(adapter\)"):
        train(tiny_model, "made", method=Method.FULL)
    shutil.rmtree(made)


def test_a_full_model_has_tied_embeddings_if_its_base_has(
    tiny_model: Path, tmp_path: Path, train: Callable[..., Path]
) -> None:
    tied = load_model(str(tiny_model))
    tied.config.tie_word_embeddings = True
    tied.tie_weights()
    tied.save_pretrained(tmp_path / "tied")
    for file in tiny_model.glob("*token*"):
        shutil.copy(file, tmp_path / "tied")
    made = train(tmp_path / "tied", "full", method=Method.FULL)
    assert "lm_head.weight" not in load_file(made / "model.safetensors")
    assert rewards(made) != pytest.approx(rewards(tmp_path / "tied"), abs=1e-3)
