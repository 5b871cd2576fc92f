"""Resources of jobs grow with their work, and their environment is that of their engine."""

from pathlib import Path
from typing import Any

import pytest

from multirm.study import needs
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
MINIATURE = ROOT / "config" / "config.yaml"
PAPER = load_study(read_yaml(ROOT / "config" / "paper.yaml"), [])


def with_scoring(**scoring: Any) -> Study:
    config = read_yaml(MINIATURE)
    config["models"]["gORM-mini"]["scoring"].update(scoring)
    return load_study(config, [])


def test_a_job_has_the_environment_of_its_engine() -> None:
    study = with_scoring(engine="vllm")
    assert needs.scoring_stage(study, "gORM-mini") == "vllm"
    assert needs.scoring_stage(study, "gPRM-mini") == needs.scoring_stage(study, "dORM-mini")
    assert needs.critiques_stage(study, "facts") == "train"


def test_a_discriminative_job_has_it_too() -> None:
    config = read_yaml(MINIATURE)
    config["models"]["dPRM-mini"]["scoring"] = {"engine": "vllm", "dtype": "float32"}
    study = load_study(config, [])
    assert needs.scoring_stage(study, "dPRM-mini") == "vllm"
    assert needs.scoring_stage(study, "dORM-mini") == "train"
    # vLLM's cache needs memory.
    own, other = (
        needs.scoring(study, model, "Facts_junior") for model in ("dPRM-mini", "dORM-mini")
    )
    assert (own.gpu, own.mem_mb > other.mem_mb) == (0, True)


def test_only_large_models_get_gpus() -> None:
    small = load_study(read_yaml(MINIATURE), [])
    assert (
        needs.training(small, "dORM-mini").gpu
        == needs.scoring(small, "gPRM-mini", "Facts_junior").gpu
        == 0
    )
    assert needs.training(PAPER, "dORM-14B").gpu > 0
    assert needs.criticising(PAPER, "mmlu_pro").gpu > 0


def test_more_solutions_take_longer() -> None:
    config = read_yaml(MINIATURE)
    config["datasets"]["Facts_train"] |= {"questions": 4000, "solutions": 100}
    config["datasets"]["Facts_junior"] |= {"questions": 4000, "solutions": 100}
    small, large = load_study(read_yaml(MINIATURE), []), load_study(config, [])
    for model in ("dORM-mini", "gORM-mini"):
        assert needs.training(large, model).runtime > needs.training(small, model).runtime
        dataset = "Facts_junior"
        scored = [needs.scoring(study, model, dataset).runtime for study in (small, large)]
        assert scored[0] < scored[1]
    evaluated = [needs.evaluation(study, "Facts_junior").mem_mb for study in (small, large)]
    assert evaluated[0] < evaluated[1]


def test_fewer_questions_are_answered_in_less_time() -> None:
    config = read_yaml(ROOT / "config" / "smol-data.yaml")
    few = load_study(config, [])
    del config["questions"]["MMLU-Pro_50"]["questions"]
    every = load_study(config, [])
    dataset = "Without_examples"
    assert (needs.n_solutions(few, dataset), needs.n_solutions(every, dataset)) == (40, 2000)
    assert needs.writing(few, dataset).runtime < needs.writing(every, dataset).runtime


def test_fewer_training_categories_take_less_time() -> None:
    config = read_yaml(ROOT / "config" / "paper.yaml")
    for model in ("dORM-14B", "gORM-14B"):
        config["models"][model]["categories"] = ["law"]
    single = load_study(config, [])
    dataset = PAPER.evaluation.datasets[0]
    for model in ("dORM-14B", "gORM-14B"):
        own, every = (needs.training(study, model) for study in (single, PAPER))
        assert own.runtime < every.runtime
        assert own.gpu == every.gpu
        assert own.mem_mb <= every.mem_mb
        # It scores as many categories as before.
        assert needs.scoring(single, model, dataset) == needs.scoring(PAPER, model, dataset)


def test_shards_share_the_time() -> None:
    config = read_yaml(ROOT / "config" / "paper.yaml")
    name = "gORM-14B"
    config["models"][name].setdefault("scoring", {})["shards"] = 100
    dataset = PAPER.evaluation.datasets[0]
    whole, part = (needs.scoring(study, name, dataset) for study in (PAPER, load_study(config, [])))
    assert part.runtime < whole.runtime


def test_an_external_server_needs_no_gpu() -> None:
    study = with_scoring(engine="openai", server="http://127.0.0.1:1/v1")
    assert needs.scoring(study, "gORM-mini", "Facts_junior").gpu == 0


def test_resources_for_pretraining_a_given_model_are_a_bug() -> None:
    with pytest.raises(TypeError, match="14B is not pretrained"):
        needs.pretraining(PAPER, "14B")
