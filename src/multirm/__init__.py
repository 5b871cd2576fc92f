"""Reward models for test-time scaling: evaluate rewards, score solutions, and read what a study has made.

    import multirm

    pools = multirm.Pools.from_frame(frame, rewards={"skywork": "score"})
    print(multirm.evaluate(pools))

Nothing is imported before it is used, so that `import multirm` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multirm.version import VERSION

if TYPE_CHECKING:
    from multirm.api.evaluation import Evaluation, evaluate
    from multirm.api.pools import Pools
    from multirm.api.results import Results, load_study, query, results
    from multirm.api.scoring import score
    from multirm.errors import InputError

__version__ = VERSION

__all__ = [
    "Evaluation",
    "InputError",
    "Pools",
    "Results",
    "__version__",
    "evaluate",
    "load_study",
    "query",
    "results",
    "score",
]

_HOMES = {
    "Evaluation": "multirm.api.evaluation",
    "InputError": "multirm.errors",
    "Pools": "multirm.api.pools",
    "Results": "multirm.api.results",
    "evaluate": "multirm.api.evaluation",
    "load_study": "multirm.api.results",
    "query": "multirm.api.results",
    "results": "multirm.api.results",
    "score": "multirm.api.scoring",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
