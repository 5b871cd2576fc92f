"""Tables of evaluations, and what they were made from → a page to look at them, in one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from multirm.database.opening import open_database
from multirm.errors import InputError, shown
from multirm.report.page.assemble import Section, page_of
from multirm.report.page.overview import overview_payload
from multirm.report.page.scorers import scorers_of
from multirm.report.page.solutions import solutions_payload
from multirm.running.arguments import PageFile, entry
from multirm.running.files import whole
from multirm.running.provenance import origin_of, to_text
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.headline import HEADLINE
from multirm.tables.reward_models import REWARD_MODELS
from multirm.tables.schema import Row, Schema
from multirm.tables.views import find_tables

Files = Mapping[str, Sequence[Path]]


@entry
def report_page(
    evaluations: list[Path],
    output: PageFile,
    tables: list[Path] | None = None,
    title: str = "Evaluation of reward models",
) -> None:
    """Write a page that shows an evaluation: one HTML file that needs no network and no other file.

    Args:
        evaluations: Folders with tables that `multirm evaluate` and other evaluations wrote.
        output: The file to write.
        tables: Further tables, or folders with tables: solutions, rewards, critiques, searches and trees. What they
            are is recorded in their footers.
        title: What the page is called.
    """
    if output.suffix != ".html":
        raise InputError(output, expected="a page, .html", found=shown(output.suffix))
    files = tables_in([*evaluations, *(tables or [])])
    if not files.get(ACCURACY.name):
        raise InputError(
            "--evaluations",
            expected="a folder with accuracies",
            found=", ".join(map(str, evaluations)) or "none",
            remedy="name the --output of multirm evaluate",
        )
    sections = sections_of(files)
    paths = [path for own in files.values() for path in own]
    origin = to_text("page", origin_of(__name__, {"title": title}, paths))
    with whole(output) as part:
        part.write_text(page_of(title, sections, origin), encoding="utf-8")


def tables_in(places: Sequence[Path]) -> Files:
    """The tables in some folders, and those that are named themselves, by the name of their schema; each once.

    Raises:
        InputError: there is no such file or folder.
    """
    found: dict[str, dict[Path, Path]] = {}
    for place in places:
        if not place.exists():
            raise InputError(place, expected="a table or a folder with tables", found="nothing")
        own = find_tables(place) if place.is_dir() else {parquet.read_footer(place).schema: [place]}
        for name, paths in own.items():
            found.setdefault(name, {}).update({path.resolve(): path for path in paths})
    return {name: sorted(paths.values()) for name, paths in found.items()}


def sections_of(files: Files) -> list[Section]:
    """The sections of a page about some tables.

    Args:
        files: by the name of their schema.

    Raises:
        InputError: a table that cannot be read.
    """
    accuracy, headline = _rows(files, ACCURACY), _rows(files, HEADLINE)
    models = files.get(REWARD_MODELS.name, ())
    datasets = dict.fromkeys(row["dataset"] for row in accuracy)
    scorers = {name: scorers_of(name, accuracy, models) for name in datasets}
    with open_database(files) as database:
        solutions = solutions_payload(database)
    found = [Section("overview", "Overview", overview_payload(accuracy, headline, scorers))]
    if solutions["questions"]:
        found.append(Section("solutions", "Solutions", solutions))
    return found


def _rows(files: Files, schema: Schema) -> list[Row]:
    rows: list[Row] = parquet.read_all(files.get(schema.name, ()), schema).to_pylist()
    return rows
