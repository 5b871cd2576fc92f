"""An engine is computed in the precision that was asked for, and a server chooses its own."""

from pathlib import Path

import pytest
import torch

from multirm.engines import load
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models.dtype import Dtype


@pytest.mark.parametrize("model", ["sure_model", "sure_adapter"])
def test_the_precision_is_the_one_asked_for(model: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(model)
    for dtype, expected in ((Dtype.FLOAT32, torch.float32), (Dtype.BFLOAT16, torch.bfloat16)):
        engine = load_engine(EngineName.TRANSFORMERS, str(folder), dtype=dtype)
        assert isinstance(engine, TransformersEngine)
        assert engine._model.dtype is expected
        # In bf16 neighbours change a text.
        assert engine.reproducible == (expected is torch.float32)


def test_a_server_has_its_own_precision() -> None:
    with pytest.raises(InputError, match=r"dtype: expected auto with openai.*found bfloat16"):
        load_engine(EngineName.OPENAI, "model", "http://127.0.0.1:1/v1", Dtype.BFLOAT16)


def test_vllm_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="engine: expected vLLM in the environment of the job"):
        load_engine(EngineName.VLLM, "model")
