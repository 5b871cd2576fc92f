"""How long jobs take, by the times of earlier ones that Snakemake keeps in results/benchmarks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = "benchmarks"


@dataclass(frozen=True)
class Estimate:
    """How long a job will take.

    Attributes:
        is_own: whether it took that long itself before; else others of its rule did on average.
    """

    seconds: float
    is_own: bool


def read_benchmarks(files: Iterable[str | None]) -> dict[Path, float]:
    """The seconds that jobs took, by file: the named ones, and all others of the same rules.

    Damaged files, such as those that are being written, are left out.
    """
    folders = {_of_rule(Path(file)) for file in files if file}
    found: dict[Path, float] = {}
    for folder in folders:
        for path in [*folder.rglob("*.tsv"), folder]:
            seconds = _seconds(path)
            if seconds is not None:
                found[path] = seconds
    return found


def _of_rule(file: Path) -> Path:
    """`results/benchmarks/RULE`, or the file itself if it is directly in `results/benchmarks`."""
    parts = file.parts
    return Path(*parts[: parts.index(FOLDER) + 2]) if FOLDER in parts else file


def _seconds(path: Path) -> float | None:
    try:
        header, row, *_ = path.read_text().splitlines()
        return float(dict(zip(header.split("\t"), row.split("\t"), strict=False))["s"])
    except (OSError, ValueError, KeyError):
        return None


def estimate(file: str | None, known: Mapping[Path, float]) -> Estimate | None:
    """How long the job with this benchmark file will take: as long as before, or as the jobs next to it on average.

    Those in the same folder have the most in common with it, such as the model; without any, those in the folder
    above count, up to all of its rule.
    """
    if file is None:
        return None
    path = Path(file)
    if path in known:
        return Estimate(known[path], is_own=True)
    top = _of_rule(path)
    for folder in path.parents:
        if not folder.is_relative_to(top):
            return None
        near = [seconds for other, seconds in known.items() if other.is_relative_to(folder)]
        if near:
            return Estimate(sum(near) / len(near), is_own=False)
    return None
