"""Which study owns which files."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.study.owners import Owner, check_owners, names_of, note_owner, other_studies


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def owner(study: str, results: str = "results", *files: str) -> Owner:
    return Owner(study, files or (f"{study}.yaml",), Path(results))


def test_files_of_another_study_are_not_replaced() -> None:
    note_owner(owner("a"), ["results/x", "results/y", "results/z"])
    check_owners(owner("a"), ["results/x", "results/y"])
    check_owners(owner("b"), [])
    check_owners(owner("b"), ["results/w"])
    with pytest.raises(
        InputError, match=r"^results/x and 1 more: expected what the study b made, found what"
    ) as caught:
        check_owners(owner("b"), ["results/y", "results/x", "results/w"])
    assert "`results: results-b`" in str(caught.value)


def test_a_file_belongs_to_the_study_that_made_it_last() -> None:
    note_owner(owner("a"), ["results/x", "results/y"])
    note_owner(owner("b"), ["results/y"])
    check_owners(owner("b"), ["results/y"])
    check_owners(owner("a"), ["results/x"])
    with pytest.raises(InputError, match="found what the study b made"):
        check_owners(owner("a"), ["results/y"])


def test_the_page_is_that_of_the_study_that_ran_last() -> None:
    note_owner(owner("a"), ["results/x", "results/report.html"])
    check_owners(owner("b"), ["results/report.html"])
    with pytest.raises(InputError, match=r"^results/x: expected what the study b made"):
        check_owners(owner("b"), ["results/report.html", "results/x"])
    # Another file of this name is no page.
    note_owner(owner("a"), ["results/figures/report.html"])
    with pytest.raises(InputError, match=r"^results/figures/report\.html: expected"):
        check_owners(owner("b"), ["results/figures/report.html"])


def test_several_runs_of_a_study_add_up() -> None:
    note_owner(owner("a"), ["results/x"])
    note_owner(owner("a"), ["results/y"])
    with pytest.raises(InputError, match=r"^results/x and 1 more"):
        check_owners(owner("b"), ["results/x", "results/y"])


def test_files_are_the_same_in_a_folder_that_was_renamed(folder: Path) -> None:
    note_owner(owner("a", "out/mine"), ["out/mine/x"])
    (folder / "out/mine").rename(folder / "moved")
    with pytest.raises(InputError, match=r"^moved/x: expected"):
        check_owners(owner("b", "moved"), ["moved/x"])
    assert names_of(Path("moved")) == ["out/mine", "results"]


def test_records_without_marks_count_too(folder: Path) -> None:
    """Of earlier versions, in which names began with that of the only folder."""
    (folder / "results/studies").mkdir(parents=True)
    (folder / "results/studies/a.txt").write_text("results/x\n")
    with pytest.raises(InputError, match="what the study a made"):
        check_owners(owner("b"), ["results/x"])
    check_owners(owner("a"), ["results/x"])
    assert names_of(Path("results")) == ["results"]


def test_a_study_of_the_same_name_in_another_file_is_another_study(folder: Path) -> None:
    first, second = owner("a", "results", "first.yaml"), owner("a", "results", "second.yaml")
    (folder / "first.yaml").write_text("study: a\n")
    note_owner(first, ["results/x"])
    check_owners(first, ["results/x"])
    check_owners(second, ["results/y"])
    with pytest.raises(
        InputError, match=r"found what first\.yaml made, which has a study of the same name"
    ):
        check_owners(second, ["results/x"])
    # With settings from a further file, it is that study with changes.
    check_owners(owner("a", "results", "first.yaml", "more.yaml"), ["results/x"])


@pytest.mark.parametrize("content", ["study: b", "", "study", "[", None])
def test_a_study_may_move_to_another_file(folder: Path, content: str | None) -> None:
    note_owner(owner("a", "results", "first.yaml"), ["results/x"])
    if content is not None:
        (folder / "first.yaml").write_text(content)
    check_owners(owner("a", "results", "second.yaml"), ["results/x"])


def test_other_studies_of_a_folder_are_known() -> None:
    results = Path("results")
    assert other_studies("a", results) == []
    note_owner(owner("a"), ["results/x"])
    note_owner(owner("b"), ["results/y"])
    assert other_studies("a", results) == ["b"]
    note_owner(owner("a"), ["results/y"])
    assert other_studies("a", results) == []
