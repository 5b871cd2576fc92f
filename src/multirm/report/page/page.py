"""Tables of evaluations, and what they were made from → a page to look at them, in one file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import duckdb

from multirm.errors import InputError, shown
from multirm.report.page.accuracy import accuracy_payload
from multirm.report.page.assemble import Section, page_of
from multirm.report.page.ledger import ledger_payload
from multirm.report.page.missing import completeness, left_out, missing_tables, warnings_of
from multirm.report.page.overview import overview_payload
from multirm.report.page.provenance import costs_of, provenance_payload
from multirm.report.page.scorers import labels_of, scorers_of
from multirm.report.page.solutions import solutions_payload
from multirm.running.arguments import PageFile, entry
from multirm.running.files import whole
from multirm.running.provenance import origin_of, to_text
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.accuracy_over_seeds import ACCURACY_OVER_SEEDS
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.costs import COSTS
from multirm.tables.critiques import CRITIQUE_CHECKS, CRITIQUES, FILTERING
from multirm.tables.dataset_statistics import DATASET_STATISTICS
from multirm.tables.headline import HEADLINE
from multirm.tables.hyper_parameters import HYPER_PARAMETERS
from multirm.tables.labels import LABELS
from multirm.tables.ledger import LEDGER
from multirm.tables.log_errors import LOG_ERRORS
from multirm.tables.nodes import NODES
from multirm.tables.questions import QUESTIONS
from multirm.tables.reply_counts import REPLY_COUNTS
from multirm.tables.reward_models import REWARD_MODELS
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.samples import SAMPLES
from multirm.tables.schema import Row, Schema
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import SEARCHES
from multirm.tables.solution_analyses import LENGTHS
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import EXAMPLES
from multirm.tables.uncertainty import CRITIQUE_COUNTS, VARIANCE
from multirm.tables.verification import VERIFICATION
from multirm.tables.views import (
    WHOLE,
    create_views,
    forbid_other_files,
    parquet_files,
)

_BRACES = re.compile(r"\{([^{}]+)\}\.parquet")

Files = Mapping[str, Sequence[Path]]

TITLE = "Evaluation of reward models"

READ = (
    *(ACCURACY, ACCURACY_OVER_SEEDS, CATEGORY_GROUPS, COMPARISONS, CRITIQUE_COUNTS),
    *(HEADLINE, HYPER_PARAMETERS, LEDGER, SEARCH_ACCURACY, SEARCH_GAINS),
)
"""The tables that are read as a whole."""

QUERIED = (
    *(REWARD_MODELS, SOLUTIONS, QUESTIONS, LABELS, SAMPLES, REWARDS, SCORED_CRITIQUES),
    *(NODES, SEARCH_NODES, SEARCHES, CRITIQUES, CRITIQUE_CHECKS, FILTERING, REPLY_COUNTS, EXAMPLES),
    *(COSTS, VARIANCE, VERIFICATION, LENGTHS, LOG_ERRORS, DATASET_STATISTICS),
)
"""The tables that are read by queries, or of which the page only says what made them."""


@entry
def report_page(
    evaluations: list[Path],
    output: PageFile,
    tables: list[Path] | None = None,
    title: str = TITLE,
    benchmarks: Path | None = None,
) -> None:
    """Write a page that shows an evaluation: one HTML file that needs no network and no other file.

    Args:
        evaluations: What `multirm evaluate` and other evaluations wrote: folders of tables, or tables.
        output: The file to write.
        tables: Further tables, or folders with tables: solutions, rewards, critiques, searches and trees. What they
            are is recorded in their footers. FOLDER/{law,math}.parquet are two tables, as in a shell.
        title: What the page is called.
        benchmarks: The folder in which Snakemake wrote the time and memory of each job, such as results/benchmarks.
    """
    if output.suffix != ".html":
        raise InputError(output, expected="a page, .html", found=shown(output.suffix))
    files = tables_in([*evaluations, *(tables or [])])
    if not files:
        raise InputError(
            "--evaluations",
            expected="tables of an evaluation",
            found=f"none in {', '.join(map(str, evaluations))}",
            remedy="name the --output of multirm evaluate",
        )
    sections = sections_of(files, title, benchmarks)
    paths = [path for own in files.values() for path in own]
    origin = to_text("page", origin_of(__name__, {"title": title}, paths))
    with whole(output) as part:
        part.write_text(page_of(title, sections, origin), encoding="utf-8")


def tables_in(places: Sequence[Path]) -> Files:
    """The tables in some folders, and those that are named themselves, by the name of their schema; each once.

    Tables that the page does not show are left out, and so are shards: the merged table has their rows.

    Raises:
        InputError: there is no such file or folder, or a file is named that is no table of multirm's.
    """
    schemas = {schema.name: schema for schema in (*READ, *QUERIED)}
    found: dict[str, dict[Path, Path]] = {}
    for path, footer in _footers(places):
        schema = schemas.get(footer.schema)
        is_whole = footer.parameters.get("shard", WHOLE) == WHOLE
        if schema and schema.reads(footer.schema_version) and is_whole:
            found.setdefault(schema.name, {}).setdefault(path.resolve(), path)
    return {name: sorted(found[name].values()) for name in schemas if name in found}


def _footers(places: Sequence[Path]) -> Iterator[tuple[Path, parquet.Footer]]:
    """The tables in some folders, and those that are named themselves, with their footers."""
    for place in chain.from_iterable(map(_named, places)):
        if not place.exists():
            raise InputError(place, expected="a table or a folder with tables", found="nothing")
        if place.is_dir():
            for path in parquet_files(place):
                if footer := parquet.find_footer(path):
                    yield path, footer
        else:
            yield place, parquet.read_footer(place)


def _named(place: Path) -> list[Path]:
    """The tables that a name with alternatives in braces stands for; any other is itself, also if it has braces."""
    alternatives = _BRACES.fullmatch(place.name)
    if not alternatives or place.exists():
        return [place]
    return [place.with_name(f"{each}.parquet") for each in alternatives[1].split(",")]


def sections_of(files: Files, title: str = TITLE, benchmarks: Path | None = None) -> list[Section]:
    """The sections of a page about some tables.

    Args:
        files: by the name of their schema.
        title: of the page.
        benchmarks: the folder in which Snakemake wrote the time and memory of each job.

    Raises:
        InputError: a table that cannot be read.
    """
    tables = {schema.name: _rows(files, schema) for schema in READ}
    datasets = dict.fromkeys(
        row["dataset"] for name in ("accuracy", "accuracy_over_seeds") for row in tables[name]
    )
    models = files.get(REWARD_MODELS.name, ())
    evaluated = [*tables["accuracy"], *tables["accuracy_over_seeds"]]
    scorers = {name: scorers_of(name, evaluated, models) for name in datasets}
    labels = {name: labels_of(own) for name, own in scorers.items()}
    warnings = warnings_of(tables["ledger"], tables["accuracy"], tables["headline"], labels)
    complete = completeness(tables["ledger"], warnings)
    with duckdb.connect() as database:
        create_views(database, files)
        forbid_other_files(database, [path for paths in files.values() for path in paths])
        solutions = solutions_payload(database)
        ledger = ledger_payload(database, warnings, complete)
        costs = costs_of(database)
    absent = [*missing_tables(list(files), tables), *left_out(solutions["datasets"])]
    overview = overview_payload(evaluated, tables["headline"], scorers, warnings, absent, complete)
    provenance = provenance_payload(title, files, tables["hyper_parameters"], costs, benchmarks)
    found = {
        "overview": ("Overview", overview),
        "accuracy": ("Accuracy", accuracy_payload(tables, scorers)),
        "solutions": ("Solutions", solutions),
        "ledger": ("Data and ledger", ledger),
        "provenance": ("Provenance", provenance),
    }
    return [Section(name, title, payload) for name, (title, payload) in found.items()]


def _rows(files: Files, schema: Schema) -> list[Row]:
    rows: list[Row] = parquet.read_all(files.get(schema.name, ()), schema).to_pylist()
    return rows
