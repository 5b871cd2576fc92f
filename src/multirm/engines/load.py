"""From an engine's name to an engine."""

from multirm.engines.base import Engine
from multirm.vocabulary import EngineName


def load_engine(name: EngineName, model: str) -> Engine:
    """An engine over a local model folder or hub name.

    What an engine needs is imported only once it is asked for.

    Raises:
        InputError: no model or tokenizer there, or not in safetensors.
    """
    match name:
        case EngineName.TRANSFORMERS:
            from multirm.engines.transformers import TransformersEngine
            from multirm.models import load_model, load_tokenizer

            return TransformersEngine(load_model(model), load_tokenizer(model))
