"""Reward models that were trained elsewhere: what a study says of them, and what their jobs need."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.reward_models.formats import format_file
from multirm.site.prefetch import _on_the_hub
from multirm.study import files, needs, options, targets
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study
from multirm.tables.reward_models import FormatName

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
QWEN = {"kind": "dPRM", "format": "qwen_prm", "model": "Qwen/Qwen2.5-Math-PRM-7B"}
QWEN |= {"parameters": 7.6e9}
EURUS = {"kind": "dPRM", "format": "eurus_prm", "model": "PRIME-RL/EurusPRM-Stage2"}
EURUS |= {"parameters": 7.6e9}
CLASSIFIER = {"kind": "dORM", "format": "classifier", "model": "owner/classifier"}
CLASSIFIER |= {"parameters": 8e9}
R_PRM = {"kind": "gPRM", "format": "r_prm", "model": "kevinpro/R-PRM-7B-DPO", "parameters": 7e9}
JUDGE = {"kind": "gORM", "model": "owner/instruct", "parameters": 8e9}


def study(**models: Any) -> Study:
    miniature = read_yaml(MINIATURE)
    # Published protocols take probabilities only.
    evaluation = {**miniature["evaluation"], "protocols": []}
    return load_study({**miniature, "models": models, "evaluation": evaluation}, [])


def test_they_are_scored_but_not_trained() -> None:
    found = study(qwen=QWEN, eurus=EURUS, classifier=CLASSIFIER, judge=JUDGE)
    assert not any(run.is_trained or run.is_external or run.seed for run in found.runs.values())
    assert targets.trained_runs(found) == []
    assert targets.external_models(found) == "(?!)"
    assert targets.scored(found, "dORM", "dPRM", in_shards=False) == "qwen|eurus|classifier"
    assert targets.scored(found, "gORM", "gPRM", in_shards=False) == "judge"
    assert "<results>/rewards/qwen/Facts_senior/history.parquet" in targets.scoring_targets(found)
    assert targets.training_targets(found) == []


def test_they_come_from_the_hub_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("")
    words = tmp_path / "words.txt"
    words.write_text("{question} {step}")
    here = {**QWEN, "format": "rlhflow", "model": str(tmp_path), "template": str(words)}
    found = study(qwen=QWEN, eurus=EURUS, here=here)
    assert files.backbone_files_of_model(found, "qwen") == []
    assert files.own_files(found, "qwen") == []
    assert files.format_files(found, "qwen") == [str(format_file(FormatName.QWEN_PRM))]
    names = [str(tmp_path / name) for name in ("model.safetensors", "words.txt")]
    assert files.backbone_files_of_model(found, "here") == names
    own = [str(format_file(FormatName.RLHFLOW)), str(words)]
    assert files.format_files(found, "here") == own
    assert options.scoring_model(found, "here", []) == str(tmp_path)
    assert options.format_of_model(found, "here") == [
        *("--format", "rlhflow", "--template", str(words))
    ]
    hub = {"Qwen/Qwen2.5-Math-PRM-7B", "PRIME-RL/EurusPRM-Stage2", "Qwen/Qwen2.5-Math-7B-Instruct"}
    assert set(_on_the_hub(found)) == hub


def untrained(backbone: dict[str, Any], **more: Any) -> Study:
    """A study with a backbone as it is, beside a reward model that is trained from it."""
    miniature = read_yaml(MINIATURE)
    models = {
        "untrained": {"kind": "dPRM", "format": "multi_rm", "backbone": "mini", **more},
        "dPRM-mini": miniature["models"]["dPRM-mini"],
    }
    changed = {"models": models, "critiques": {}, "backbones": {"mini": backbone}}
    return load_study({**miniature, **changed}, [])


def test_a_backbone_as_it_is_is_a_reward_model_before_training(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("")
    found = untrained({"model": str(tmp_path), "parameters": 1.35e8})
    assert options.scoring_model(found, "untrained", []) == str(tmp_path)
    assert files.backbone_files_of_model(found, "untrained") == [
        str(tmp_path / "model.safetensors")
    ]
    assert options.format_of_model(found, "untrained") == ["--format", "multi_rm"]
    assert files.own_files(found, "untrained") == files.format_files(found, "untrained") == []
    assert found.size_of("untrained") == found.size_of("dPRM-mini") == 1.35e8
    assert [run.name for run in targets.trained_runs(found)] == ["dPRM-mini"]
    known, _ = map(json.loads, options.reward_models(found))
    assert known == {
        "model": "untrained",
        "run_of": "untrained",
        "kind": "dPRM",
        "format": "multi_rm",
        "backbone": "mini",
    }


def test_a_backbone_as_it_is_is_made_or_downloaded_first() -> None:
    made = read_yaml(MINIATURE)["backbones"]["mini"]
    alone = untrained(made)
    folder = f"{alone.results}/backbones/mini/model"
    assert options.scoring_model(alone, "untrained", []) == folder
    files_of_it = files.backbone_files(alone, "mini")
    assert files.backbone_files_of_model(alone, "untrained") == files_of_it
    assert targets.ready_models(alone) == []
    assert alone.size_of("untrained") == alone.backbones["mini"].size
    downloaded = untrained({"model": "owner/base", "parameters": 8e9})
    assert targets.used_backbones(downloaded) == targets.backbones_run_here(downloaded) == ["mini"]
    assert list(_on_the_hub(downloaded)) == ["owner/base"]


def test_a_backbone_that_learned_what_is_evaluated_is_refused() -> None:
    """Also if no reward model is trained from it."""
    miniature = read_yaml(MINIATURE)
    learned = {**miniature["backbones"]["mini"]["pretrain"], "datasets": ["Facts_junior"]}
    with pytest.raises(
        InputError, match=r"backbones\.mini\.pretrain\.datasets: models are trained"
    ):
        load_study(
            {
                **miniature,
                "critiques": {},
                "backbones": {"mini": {"pretrain": learned}},
                "models": {"untrained": {"kind": "dPRM", "format": "multi_rm", "backbone": "mini"}},
            },
            [],
        )


def test_models_that_are_trained_here_have_no_options_of_formats() -> None:
    found = load_study(read_yaml(MINIATURE), [])
    assert options.format_of_model(found, "dPRM-mini") == []
    assert files.format_files(found, "dPRM-mini") == []
    own = files.own_files(found, "dPRM-mini")
    assert options.scoring_model(found, "dPRM-mini", own) == "<results>/models/dPRM-mini/adapter"


def test_what_is_known_of_them_names_their_format() -> None:
    found = study(qwen=QWEN, judge=JUDGE)
    qwen, judge = map(json.loads, options.reward_models(found))
    assert qwen == {"model": "qwen", "run_of": "qwen", "kind": "dPRM", "format": "qwen_prm"}
    assert judge == {"model": "judge", "run_of": "judge", "kind": "gORM", "format": "multi_rm"}


def test_generative_formats_have_their_own_prompts(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("{question} {previous} {step}")
    found = study(judge=JUDGE, theirs=R_PRM, own={**R_PRM, "template": str(words)})
    assert files.template_of_model(found, "judge", "ours") == "ours/gORM.txt"
    of_format = str(format_file(FormatName.R_PRM))
    assert files.template_of_model(found, "theirs", "ours") == of_format
    assert files.template_of_model(found, "own", "ours") == str(words)
    assert options.format_of_model(found, "own") == ["--format", "r_prm"]
    assert options.template_of_model(found, "own") == ["--template", str(words)]
    assert options.template_of_model(found, "theirs") == []


def test_a_reference_model_needs_memory_too() -> None:
    found = study(qwen=QWEN, eurus=EURUS, judge=JUDGE)
    assert found.size_of("eurus") == 2 * found.size_of("qwen")
    one, two = (needs.scoring(found, model, "Facts_senior") for model in ("qwen", "eurus"))
    assert (one.gpu, two.gpu) == (1, 1)
    assert two.mem_mb > one.mem_mb
    assert needs.scoring(found, "judge", "Facts_senior").gpu == 1
    assert needs.scoring_stage(found, "qwen") == "train"


def test_vllm_splits_a_model_over_gpus() -> None:
    large = {**QWEN, "parameters": 72e9, "scoring": {"engine": "vllm"}}
    found = study(qwen=QWEN, large=large)
    assert needs.scoring_stage(found, "large") == "vllm"
    one, several = (needs.scoring(found, model, "Facts_senior") for model in ("qwen", "large"))
    assert (one.gpu, several.gpu) == (1, 4)
    assert several.threads == 4 * one.threads


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**QWEN, "kind": "dORM"}, "qwen_prm gives rewards of each step; write dPRM"),
        ({**CLASSIFIER, "kind": "dPRM"}, "gives rewards of each solution; write dORM"),
        ({**QWEN, "format": "qwen"}, "models.X.format"),
        ({**QWEN, "backbone": "mini"}, "needs either `model` or `backbone`"),
        ({"kind": "dPRM", "format": "multi_rm"}, "needs either `model` or `backbone`"),
        (
            {"kind": "dPRM", "format": "multi_rm", "backbone": "mini", "parameters": 1e6},
            "`parameters` is needed for a `model`, and only there",
        ),
        ({**QWEN, "parameters": None}, "`parameters` is needed for a `model`, and only there"),
        (
            {"kind": "gORM", "format": "multi_rm", "backbone": "minii"},
            "models.X.backbone: minii is not one of mini",
        ),
        ({**QWEN, "reference": "a/b"}, "`reference` does not suit the format qwen_prm"),
        ({**QWEN, "format": "trl", "template": "t.txt"}, "`template` needs a format with a chat"),
        ({**QWEN, "format": "multi_rm", "reference": "a/b"}, "do not suit the format multi_rm"),
        ({**QWEN, "template": "no/such.txt"}, "models.X.template: no/such.txt"),
        ({**QWEN, "parameters": 72e9}, "needs 150 GB, but gpu_memory is 80"),
        ({**QWEN, "parameters": 72e9}, "vLLM splits models over several"),
        (
            {**EURUS, "scoring": {"engine": "vllm"}},
            "scoring.engine: vLLM does not serve eurus_prm",
        ),
        ({**QWEN, "scoring": {"engine": "openai"}}, "runs no discriminative models; use"),
        (
            {**QWEN, "scoring": {"engine": "vllm", "batch_tokens": 9}},
            "`batch_tokens` is for the engine transformers",
        ),
        ({**QWEN, "training": {}}, "models.X.training"),
        ({**QWEN, "model": "folder/{x}"}, "braces"),
        ({**JUDGE, "format": "qwen_prm"}, "the models of qwen_prm write no verdicts"),
        ({**JUDGE, "format": "think_prm"}, "judge steps; write gPRM"),
        ({**R_PRM, "template": "no/such.txt"}, "models.X.template: no/such.txt"),
        ({**R_PRM, "scoring": {"adaptive": 0.1}}, "judge one step at a time"),
        ({**QWEN, "format": "r_prm"}, "a format of discriminative reward models"),
        ({**JUDGE, "template": "no/such.txt"}, "no/such.txt"),
    ],
)
def test_what_does_not_fit_together_is_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        study(X=model)
