"""`score`: solutions and a reward model in, pools with its rewards out; the same as the commands of scoring."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from multirm.api.arguments import member, validated
from multirm.api.messages import in_python
from multirm.api.pools import AnyPath, Places, Pools
from multirm.engines.name import EngineName
from multirm.errors import InputError, shown
from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.running.numbers import Count
from multirm.running.provenance import origin_of, read_from_folder
from multirm.study.results_folder import results_folder
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS


@dataclass(frozen=True, kw_only=True)
class _Samples:
    samples: Count


# Folders in the folder of a model that a study trains.
_WEIGHTS = ("adapter", "model")


@in_python()
def score(
    model: AnyPath,
    solutions: Pools | Places,
    *,
    name: str | None = None,
    kind: str | None = None,
    format: str = FormatName.MULTI_RM,
    samples: int = 10,
    max_tokens: int = 8192,
    temperature: float = 0.6,
    seed: int = 42,
    engine: str = EngineName.TRANSFORMERS,
    server: str | None = None,
    dtype: str = Dtype.AUTO,
    template: AnyPath | None = None,
    output: AnyPath | None = None,
) -> Pools:
    """Score solutions with a reward model: one trained here, other people's, or a language model as it is.

    The same as the commands `multirm score-discriminative` and `multirm score-generative`.

    Args:
        model: a folder, a hub name, or the name of a model in the results folder.
        solutions: pools, or where solutions are.
        name: what to call the model; by default, as its folder or on the hub.
        kind: gORM or gPRM for a model that writes critiques; others need none. For models trained here, it is known.
        format: how the model reads solutions, for other people's models: see docs/formats.md.
        samples: critiques per solution, of generative models.
        max_tokens, temperature, seed: how critiques are sampled.
        engine: transformers, vllm, or for generative models openai, a server.
        server: the server's address.
        dtype: precision: auto is bfloat16 on a GPU and float32 on a CPU.
        template: file with the words of the prompt, if they are not the format's.
        output: a file for the table of rewards, .parquet. A call that was interrupted goes on where it stopped. By
            default, no file is kept.

    Returns:
        the pools with this model's rewards; a reward per step, per critique or per solution. It is null where there
        is none, such as for solutions that are too long.

    Raises:
        InputError: the model cannot be loaded, an argument does not go with it, or the extra `pipeline` of this package
            is not installed.
    """
    # Not before: they need packages that evaluation does not.
    try:
        from multirm.scoring.discriminative import score_discriminative
        from multirm.scoring.generative import score_generative
    except ModuleNotFoundError as error:
        raise InputError(
            "score",
            expected=f"the package {error.name}",
            found="none",
            remedy="pip install '.[pipeline]' in the folder of multirm",
        ) from error
    place = _place(model)
    called = name or _name(model)
    pools = solutions if isinstance(solutions, Pools) else Pools.read(solutions)
    recorded = _kind(place)
    known = recorded if kind is None else member("kind", kind, Kind)
    if recorded is not None and known is not recorded:
        raise InputError("kind", expected=f"{recorded}, the kind of {called}", found=shown(kind))
    asked, precision = member("format", format, FormatName), member("dtype", dtype, Dtype)
    words = None if template is None else Path(template)
    sampling = validated(
        GenerationOptions,
        engine=engine,
        server=server,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
    count = validated(_Samples, samples=samples).samples
    with tempfile.TemporaryDirectory(prefix="multirm-") as scratch:
        given = Path(scratch, "solutions.parquet")
        parquet.write(given, SOLUTIONS, pools.solutions_table(), origin_of(__name__, {}, []))
        table = Path(scratch, "rewards.parquet") if output is None else Path(output)
        if known is not None and known.is_generative:
            score_generative(
                kind=known,
                model=place,
                name=called,
                solutions=given,
                output=table,
                output_critiques=table.with_suffix(".critiques.parquet"),
                options=sampling,
                samples=count,
                dtype=precision,
                template=words,
                format=asked,
            )
        else:
            score_discriminative(
                model=[f"{called}={place}"],
                solutions=given,
                output=[table],
                format=asked,
                template=words,
                engine=sampling.engine,
                dtype=precision,
            )
        return pools.with_rewards(called, parquet.read(table, REWARDS))


def _place(model: AnyPath) -> str:
    """A model's folder or hub name; models of a study may be named, or the folder that their weights are in."""
    for folder in (Path(model), results_folder(None) / "models" / str(model)):
        for weights in _WEIGHTS:
            if not (folder / "config.json").is_file() and (folder / weights).is_dir():
                return str(folder / weights)
    return str(model)


def _name(model: AnyPath) -> str:
    path = Path(model)
    return path.parent.name if path.name in _WEIGHTS and path.parent.name else path.name


def _kind(place: str) -> Kind | None:
    """The kind of a model that was trained here; None if it is unknown."""
    provenance = read_from_folder(Path(place)) if Path(place).is_dir() else None
    kind = provenance.parameters.get("kind") if provenance else None
    return Kind(kind) if kind in set(Kind) else None
