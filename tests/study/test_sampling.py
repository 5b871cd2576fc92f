"""Which engine writes the texts of a study, and which engines cannot."""

from typing import Any

import pytest

from multirm.errors import InputError
from multirm.study import needs, options, targets
from multirm.study.load import load_study
from multirm.study.study import Study
from tests.study.test_labelling import CONFIG

BATCH = {"engine": "openai_batch", "batch_folder": "batches/judge", "service_model": "judge-70b"}


def judged_by(**settings: Any) -> Study:
    judge = {"from": "Train", "label": {"judge": {"model": "judge", **settings}}}
    return load_study({**CONFIG, "datasets": {**CONFIG["datasets"], "Judged": judge}}, [])


def test_a_batch_service_has_its_folder_and_its_model() -> None:
    found = judged_by(**BATCH)
    words = options.writing(found, "Judged")
    assert words[:6] == [
        *("--engine", "openai_batch", "--batch-folder", "batches/judge"),
        *("--service-model", "judge-70b"),
    ]
    assert "--batch-folder" not in options.writing(found, "Train")
    assert needs.writer_stage(found, "Judged") == "train"
    assert needs.writing(found, "Judged").gpu == 0
    assert targets.backbones_run_here(found) == ["base"]
    assert targets.used_backbones(found) == ["base", "judge"]
    assert targets.backbones_run_here(judged_by()) == ["base", "judge"]


def test_a_teacher_may_run_at_a_batch_service() -> None:
    teacher = {"dataset": "Judged", "teacher": "judge", "top_k": 0}
    bedrock = {**BATCH, "engine": "bedrock_batch"}
    found = load_study({**CONFIG, "critiques": {"some": {**teacher, **bedrock}}}, [])
    assert options.teacher_server(found, "some") == [
        *("--batch-folder", "batches/judge", "--service-model", "judge-70b")
    ]
    with pytest.raises(InputError, match="the engine openai_batch takes chats, which cannot start"):
        load_study({**CONFIG, "critiques": {"some": {**teacher, **BATCH}}}, [])


@pytest.mark.parametrize("missing", ["batch_folder", "service_model"])
def test_a_batch_service_without_either_is_refused(missing: str) -> None:
    given = {name: value for name, value in BATCH.items() if name != missing}
    with pytest.raises(InputError, match="`batch_folder` and `service_model` are needed for the"):
        judged_by(**given)
    with pytest.raises(InputError, match="`batch_folder` and `service_model` are needed for the"):
        judged_by(**{**given, "engine": "vllm"})
    with pytest.raises(InputError, match="`server` is needed for the engine openai"):
        judged_by(**BATCH, server="http://host/v1")


def test_continuations_and_rewards_need_other_engines() -> None:
    continued = {"monte_carlo": {"policy": "base", **BATCH}}
    datasets = {**CONFIG["datasets"], "Continued": {"from": "Train", "label": continued}}
    with pytest.raises(InputError, match="the engine openai_batch takes chats"):
        load_study({**CONFIG, "datasets": datasets}, [])
    model = {"kind": "gORM", "backbone": "base", "critiques": "some"}
    scored = {"g": {**model, "scoring": {**BATCH, "engine": "bedrock_batch"}}}
    with pytest.raises(InputError, match="the engine bedrock_batch returns no probabilities"):
        load_study({**CONFIG, "models": {**CONFIG["models"], **scored}}, [])
