"""Load an engine by name."""

from importlib.util import find_spec
from pathlib import Path

from multirm.engines.base import Engine
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype


def load_engine(
    name: EngineName,
    model: str,
    server: str | None = None,
    dtype: Dtype = Dtype.AUTO,
    batch_folder: Path | None = None,
    service_model: str | None = None,
) -> Engine:
    """Load an engine with a model folder or hub name. An engine's packages are imported only when it is loaded.

    Args:
        model: a whole model, or an adapter, which runs on its base.
        server: address of the server for the engine `openai`; None for the others.
        dtype: precision of the model; a server has its own.
        batch_folder: folder of job and result files for the engines of batch services; None for the others.
        service_model: the name of the model at a batch service; None for the other engines.

    Raises:
        InputError: there is no model or tokenizer, it is not in safetensors, the server or batch folder is missing or
            not needed, or the engine is not installed.
    """
    if name.is_batch != (batch_folder is not None) or name.is_batch != (service_model is not None):
        raise InputError(
            "engine",
            expected="--batch-folder and --service-model with the engines of batch services, and with no other",
            found=f"{name} with {_given(batch_folder, service_model)}",
        )
    if (name is EngineName.OPENAI) != (server is not None):
        raise InputError(
            "engine",
            expected=f"a server with {EngineName.OPENAI}, and with no other",
            found=f"{name} {'with one' if server else 'without one'}",
        )
    if name.is_remote and dtype is not Dtype.AUTO:
        raise InputError(
            "dtype",
            expected=f"{Dtype.AUTO} with {name}, whose server has its own",
            found=dtype,
        )
    match name:
        case EngineName.TRANSFORMERS:
            from multirm.engines.limits import own_generation_settings, settings_folder
            from multirm.engines.transformers import TransformersEngine
            from multirm.models.load import default_device, dtype_of, load_model, load_tokenizer

            # Refuse damaged ones: `load_model` would ignore them.
            own_generation_settings(settings_folder(model))
            loaded = load_model(model, dtype_of(dtype, default_device()))
            return TransformersEngine(loaded, load_tokenizer(model))
        case EngineName.VLLM:
            require_vllm()
            from multirm.engines.vllm import VllmEngine

            return VllmEngine(model, dtype)
        case EngineName.OPENAI:
            from multirm.engines.openai import OpenaiEngine

            assert server is not None
            return OpenaiEngine(model, server)
        case EngineName.OPENAI_BATCH | EngineName.BEDROCK_BATCH:
            from multirm.engines.batch import BatchEngine

            assert batch_folder is not None and service_model is not None
            return BatchEngine(name, model, batch_folder, service_model)


def require_vllm() -> None:
    """Refuse to go on without vLLM.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("vllm") is None:
        raise InputError(
            "engine",
            expected="vLLM in the environment of the job",
            found="none",
            remedy="make one with it: `make vllm`, or on a machine with a GPU see docs/engines.md",
        )


def _given(batch_folder: Path | None, service_model: str | None) -> str:
    options = {"--batch-folder": batch_folder, "--service-model": service_model}
    return " and ".join(name for name, value in options.items() if value is not None) or "neither"
