"""Which study owns which files."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.study.owners import check_owners, note_owner


def test_files_of_another_study_are_not_replaced(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x", "y", "z"])
    check_owners("a", tmp_path, ["x", "y"])
    check_owners("b", tmp_path, [])
    check_owners("b", tmp_path, ["w"])
    with pytest.raises(
        InputError, match=r"^x and 1 more: expected what the study b made, found what"
    ):
        check_owners("b", tmp_path, ["y", "x", "w"])


def test_a_file_belongs_to_the_study_that_made_it_last(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x", "y"])
    note_owner("b", tmp_path, ["y"])
    check_owners("b", tmp_path, ["y"])
    check_owners("a", tmp_path, ["x"])
    with pytest.raises(InputError, match="found what the study b made"):
        check_owners("a", tmp_path, ["y"])


def test_several_runs_of_a_study_add_up(tmp_path: Path) -> None:
    note_owner("a", tmp_path, ["x"])
    note_owner("a", tmp_path, ["y"])
    with pytest.raises(InputError, match=r"^x and 1 more"):
        check_owners("b", tmp_path, ["x", "y"])
