"""The setting `results`, and what commands take for it."""

from pathlib import Path

import pytest

from multirm.study.results_folder import a_folder_below, results_folder


@pytest.mark.parametrize(
    ("written", "meant"), [("results", "results"), ("./a//b/", "a/b"), ("my out", "my out")]
)
def test_a_folder_is_written_without_redundant_parts(written: str, meant: str) -> None:
    assert a_folder_below(written) == meant


@pytest.mark.parametrize(
    "written",
    ["/tmp/x", "~/x", "..", "a/../../b", ".", "", "a{b}", "a*", "<results>", "a\nb", "[a]"],
)
def test_other_folders_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"folder below|characters"):
        a_folder_below(written)


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ("study: a\nresults: mine\n", "mine"),
        ("study: a\n", "results"),
        ("results: 5\n", "results"),
        ("results: ..\n", "results"),
        ("- a", "results"),
        ("[", "results"),
        (None, "results"),
    ],
)
def test_commands_look_where_the_default_study_has_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config/config.yaml").write_text(content)
    assert results_folder(None) == Path(meant)
    assert results_folder(Path("given")) == Path("given")
