"""From an engine's name to an engine."""

from importlib.util import find_spec

from multirm.engines.base import Engine
from multirm.errors import InputError
from multirm.vocabulary import EngineName


def load_engine(name: EngineName, model: str, server: str | None = None) -> Engine:
    """An engine over a local model folder or hub name.

    What an engine needs is imported only once it is asked for.

    Args:
        server: the address of the server that the engine `openai` asks; the others need none.

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
    match name:
        case EngineName.TRANSFORMERS:
            from multirm.engines.transformers import TransformersEngine
            from multirm.models import load_model, load_tokenizer

            return TransformersEngine(load_model(model), load_tokenizer(model))
        case EngineName.VLLM:
            if find_spec("vllm") is None:
                raise InputError(
                    "engine",
                    expected="vLLM in the environment of the job",
                    found="none",
                    remedy="make one with it: `make vllm`, or on a machine with a GPU see README.md",
                )
            from multirm.engines.vllm import VllmEngine

            return VllmEngine(model)
        case EngineName.OPENAI:
            from multirm.engines.openai import OpenaiEngine

            assert server is not None
            return OpenaiEngine(model, server)
