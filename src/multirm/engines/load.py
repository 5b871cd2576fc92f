"""Load an engine by name."""

from importlib.util import find_spec

from multirm.engines.base import Engine
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype


def load_engine(
    name: EngineName, model: str, server: str | None = None, dtype: Dtype = Dtype.AUTO
) -> Engine:
    """Load an engine with a model folder or hub name. An engine's packages are imported only when it is loaded.

    Args:
        model: a whole model, or an adapter, which runs on its base.
        server: address of the server for the engine `openai`; None for the others.
        dtype: precision of the model; a server has its own.

    Raises:
        InputError: there is no model or tokenizer, it is not in safetensors, the server is missing or not
            needed, or the engine is not installed.
    """
    if (name is EngineName.OPENAI) != (server is not None):
        raise InputError(
            "engine",
            expected=f"a server with {EngineName.OPENAI}, and with no other",
            found=f"{name} {'with one' if server else 'without one'}",
        )
    if name is EngineName.OPENAI and dtype is not Dtype.AUTO:
        raise InputError(
            "dtype",
            expected=f"{Dtype.AUTO} with {EngineName.OPENAI}, whose server has its own",
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
            if find_spec("vllm") is None:
                raise InputError(
                    "engine",
                    expected="vLLM in the environment of the job",
                    found="none",
                    remedy="make one with it: `make vllm`, or on a machine with a GPU see README.md",
                )
            from multirm.engines.vllm import VllmEngine

            return VllmEngine(model, dtype)
        case EngineName.OPENAI:
            from multirm.engines.openai import OpenaiEngine

            assert server is not None
            return OpenaiEngine(model, server)
