"""The section *Provenance* of the page: what was made from what, with which settings, in which time."""

import csv
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb

from multirm.database.question_pools import views_in
from multirm.errors import InputError
from multirm.running.files import portable
from multirm.running.provenance import Origin, read_from_folder
from multirm.tables import parquet
from multirm.tables.schema import Row

PACKAGES = (
    *("torch", "transformers", "tokenizers", "peft", "accelerate", "vllm", "snakemake"),
    *("duckdb", "pyarrow", "numpy", "scipy", "altair"),
)

# What is made from thousands of files is told by their first folders.
_FOLDERS_SHOWN = 50


def provenance_payload(
    title: str,
    files: Mapping[str, Sequence[Path]],
    settings: Sequence[Row] = (),
    costs: Sequence[Row] = (),
    benchmarks: Path | None = None,
) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        title: of the page.
        files: tables by the name of their schema.
        settings: rows of the hyper_parameters table.
        costs: what scoring cost: `model`, `dataset`, `n_solutions`, `n_tokens_read`, `n_tokens_generated`, `flops`.
        benchmarks: the folder in which Snakemake wrote the time and memory of each job.

    Returns:
        `settings`: rows of `stage`, `setting` and a value for each of `models`; `rules`: jobs, seconds, and the largest
        memory in MB of each rule; `costs`; `graph`: `nodes` (`name`, `n_files`, `layer`) and `edges` (pairs of
        positions of nodes); `tables`: for each module, what it made from where; `versions` of multirm that made them;
        `python` and `packages`: the versions where the page was made.
    """
    origins = origins_of(path for paths in files.values() for path in paths)
    return {
        "title": title,
        **_settings(settings),
        "costs": [dict(row) for row in costs],
        "rules": list(rules_in(benchmarks)) if benchmarks and benchmarks.is_dir() else [],
        "graph": graph_of(origins),
        "tables": list(_tables(files, origins)),
        "versions": dict(sorted(Counter(each.multirm for each in origins.values()).items())),
        "python": platform.python_version(),
        "packages": dict(_versions()),
    }


def costs_of(database: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What scoring cost, by reward model and data set; sums of what is recorded, null where nothing is."""
    if "rewards" not in views_in(database):
        return []
    found = database.execute(
        """
        SELECT model, dataset, count(*) AS n_solutions, sum(n_tokens_read)::DOUBLE AS n_tokens_read,
            sum(n_tokens_generated)::DOUBLE AS n_tokens_generated, sum(flops)::DOUBLE AS flops
        FROM rewards GROUP BY model, dataset ORDER BY model, dataset
        """
    )
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _settings(rows: Sequence[Row]) -> dict[str, Any]:
    models = list(dict.fromkeys(row["model"] for row in rows))
    values = {(row["stage"], row["setting"], row["model"]): row["value"] for row in rows}
    names = dict.fromkeys((row["stage"], row["setting"]) for row in rows)
    return {
        "models": models,
        "settings": [
            [stage, setting, *(values.get((stage, setting, model)) for model in models)]
            for stage, setting in sorted(names)
        ],
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def rules_in(benchmarks: Path) -> Iterator[dict[str, Any]]:
    """What Snakemake measured of each rule: jobs, seconds in all, and the largest memory in MB.

    A job that ran several times counts as often; what was too short to measure is null.
    """
    by_rule: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted(benchmarks.rglob("*.tsv")):
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8", newline="") as file:
            by_rule[rule] += csv.DictReader(file, delimiter="\t")
    for rule, rows in by_rule.items():
        memory = [value for row in rows if (value := _number(row.get("max_rss"))) is not None]
        yield {
            "rule": rule,
            "n_jobs": len(rows),
            "seconds": sum(_number(row.get("s")) or 0 for row in rows),
            "memory": max(memory, default=None),
        }


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def origins_of(paths: Iterable[Path]) -> dict[str, Origin]:
    """What files were made from, by their names in the records of others: tables, and the models behind them."""
    found = {
        portable(path): footer
        for path in paths
        if (footer := parquet.find_footer(path)) is not None
    }
    origins: dict[str, Origin] = dict(found)
    waiting = [name for origin in found.values() for name in origin.inputs]
    seen = set(origins)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            if model := _of_model(Path(name)):
                origins[name] = model
                waiting += model.inputs
    return origins


def _of_model(folder: Path) -> Origin | None:
    try:
        return read_from_folder(folder)
    except (InputError, OSError, ValueError):
        return None


def _tables(
    files: Mapping[str, Sequence[Path]], origins: Mapping[str, Origin]
) -> Iterator[dict[str, Any]]:
    """What each module made: kinds of tables, the number of files, and the folders of what they were made from."""
    made: dict[str, list[tuple[str, Origin | None]]] = defaultdict(list)
    for name, paths in files.items():
        for path in paths:
            origin = origins.get(portable(path))
            made[next(iter(origin.code), "") if origin else ""].append((name, origin))
    for module, own in sorted(made.items()):
        folders = sorted(
            {
                str(Path(read).parent) if "/" in read else read
                for _, origin in own
                for read in (origin.inputs if origin else ())
            }
        )
        yield {
            "made_by": module,
            "tables": sorted({name for name, _ in own}),
            "n_files": len(own),
            "n_folders": len(folders),
            "folders": folders[:_FOLDERS_SHOWN],
        }


def graph_of(origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Which modules made files from files of which others, in layers: a module comes after all that it reads from.

    Where two modules read from each other, one of the two edges is left out.
    """
    makers = {
        name: next(iter(origin.code), "").partition(".")[2] for name, origin in origins.items()
    }
    n_files = Counter(makers.values())
    edges = {
        (makers[read], makers[name])
        for name, origin in origins.items()
        for read in origin.inputs
        if read in makers and makers[read] != makers[name]
    }
    layers = _layers(n_files, edges)
    names = sorted(n_files, key=lambda name: (layers[name], name))
    place = {name: number for number, name in enumerate(names)}
    return {
        "nodes": [
            {"name": name, "n_files": n_files[name], "layer": layers[name]} for name in names
        ],
        "edges": sorted([place[a], place[b]] for a, b in edges if layers[a] < layers[b]),
    }


def _layers(names: Iterable[str], edges: set[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each name; a way that returns to a name ends there."""
    read_by: dict[str, set[str]] = defaultdict(set)
    for source, name in edges:
        read_by[name].add(source)
    layers: dict[str, int] = {}

    def layer(name: str, above: frozenset[str]) -> int:
        if name not in layers:
            before = [
                layer(source, above | {name})
                for source in sorted(read_by[name])
                if source not in above
            ]
            layers[name] = 1 + max(before, default=-1)
        return layers[name]

    for name in sorted(names):
        layer(name, frozenset({name}))
    return layers
