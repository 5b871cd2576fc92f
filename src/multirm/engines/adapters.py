"""Whether an adapter is one for its base: vLLM asks neither for shapes nor for names, and writes nonsense."""

from pathlib import Path

from safetensors import safe_open

from multirm.errors import InputError
from multirm.models import ADAPTER_WEIGHTS

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"


def require_fit(adapter: Path, base: Path) -> None:
    """Refuse an adapter whose matrices do not go with the weights of a base.

    Args:
        adapter: folder with the weights of a peft adapter.
        base: folder with weights in safetensors.

    Raises:
        InputError: a weight that the base does not have, or has in another shape.
    """
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise InputError(adapter, expected=f"an adapter with {ADAPTER_WEIGHTS}", found="none")
    shapes = {name: shape for file in base.glob("*.safetensors") for name, shape in _shapes(file)}
    adapted = dict(_shapes(adapter / ADAPTER_WEIGHTS))
    for name in (name for name in adapted if name.endswith(_A)):
        rank, width = adapted[name]
        weight = name.removeprefix(_PREFIX).removesuffix(_A) + ".weight"
        expected = shapes.get(weight)
        height, _ = adapted.get(name.removesuffix(_A) + _B, [0, rank])
        if expected != [height, width]:
            raise InputError(
                adapter,
                expected=f"an adapter for {base}",
                found=f"one for a {weight} of {height} × {width}, where "
                + (f"it is {' × '.join(map(str, expected))}" if expected else "there is none"),
                remedy="give the base that it was trained on",
            )


def _shapes(file: Path) -> list[tuple[str, list[int]]]:
    with safe_open(file, "pt") as weights:
        names = list(weights.keys())
        return [(name, weights.get_slice(name).get_shape()) for name in names]
