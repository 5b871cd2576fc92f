"""The page as a command: which tables it finds, what it refuses, and where it may be written."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.report.page.page import report_page, tables_in
from multirm.running.metadata import text_in
from multirm.running.provenance import from_text
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from tests.origins import made_of
from tests.report.page.rows import accuracy


def write_accuracy(path: Path, dataset: str = "d") -> None:
    rows = [
        accuracy(selection, n, model, category=category, dataset=dataset)
        for category in ("law", "math", "Overall")
        for selection, model in (("majority_vote", None), ("best_of_n", "mine"))
        for n in (1, 4)
    ]
    parquet.write(path, ACCURACY, rows, made_of())


def test_the_page_may_be_beside_the_tables(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "accuracy.parquet")
    output = tmp_path / "report.html"
    report_page([tmp_path], output)
    first = output.read_bytes()
    report_page([tmp_path], output)
    assert output.read_bytes() == first, "the same bytes for the same tables"
    about = from_text(output, text_in(first, ".html") or "")
    assert about.made == "page" and len(about.inputs) == 1


@pytest.mark.parametrize("name", ["accuracy.parquet", "report.htm", "report"])
def test_only_html_is_written(tmp_path: Path, name: str) -> None:
    write_accuracy(tmp_path / "accuracy.parquet")
    before = (tmp_path / "accuracy.parquet").read_bytes()
    with pytest.raises(InputError, match=r"output|html"):
        report_page([tmp_path], tmp_path / name)
    assert (tmp_path / "accuracy.parquet").read_bytes() == before
    with pytest.raises(InputError, match="html"):
        report_page([tmp_path], tmp_path / ".." / name)


def test_a_table_is_found_once(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "a" / "accuracy.parquet")
    file = tmp_path / "a" / "accuracy.parquet"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert len(tables_in([tmp_path / "a", file, tmp_path / "link"])["accuracy"]) == 1


def test_two_evaluations_of_one_dataset_are_refused(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "one" / "accuracy.parquet")
    write_accuracy(tmp_path / "two" / "accuracy.parquet")
    with pytest.raises(InputError, match=r"one.accuracy.*two.accuracy.*leave one of the two out"):
        report_page([tmp_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    write_accuracy(tmp_path / "two" / "accuracy.parquet", dataset="e")
    report_page([tmp_path], tmp_path / "report.html")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        tables_in([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="multirm evaluate"):
        report_page([tmp_path / "empty"], tmp_path / "report.html")
