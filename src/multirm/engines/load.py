"""From an engine's name to an engine."""

from importlib.util import find_spec

from multirm.engines.base import Engine
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype


def load_engine(
    name: EngineName, model: str, server: str | None = None, dtype: Dtype = Dtype.AUTO
) -> Engine:
    """An engine over a local model folder or hub name.

    What an engine needs is imported only once it is asked for.

    Args:
        model: whole or an adapter, which is computed with its base.
        server: the address of the server that the engine `openai` asks; the others need none.
        dtype: the precision of the model; a server has its own.

    Raises:
        InputError: no model or tokenizer there, or not in safetensors; no server, or one too many; an
            engine that is not installed.
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

            # Damaged, they would be left out when the model is loaded.
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
