"""The report of a finished study, with captions, and the provenance of each figure."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from multirm.inspect.trace import AS_RECORDED, way_back
from multirm.running.metadata import FORMATS
from multirm.study.figures import figures_of
from multirm.study.load import load_study, read_yaml

RESULTS = Path("results")
MICRO = Path(__file__).with_name("micro.yaml")
STUDY = load_study(read_yaml(MICRO), [MICRO])


@pytest.fixture
def there(finished_study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(finished_study)
    return finished_study


# Written by hand, so they have no provenance.
TEMPLATES = {f"src/multirm/text/templates/{kind}.txt" for kind in ("gORM", "gPRM")}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_figure_is_traced_through_shards_and_models_to_the_data(there: Path, suffix: str) -> None:
    steps = list(way_back(RESULTS / f"figures/best_of_n/Micro{suffix}", RESULTS))
    assert {step.state for step in steps[1:]} == {AS_RECORDED}
    assert {step.name for step in steps if step.origin is None} == TEMPLATES
    made = {step.origin.made.rstrip(" 0123456789") for step in steps if step.origin}
    assert {"adapter", "backbone", "table critiques", "table solutions"} <= made
    names = {step.name for step in steps}
    assert "results/data/Micro_pretrain/chemistry.parquet" in names
    assert {
        f"results/models/{kind}-micro/adapter" for kind in ("dORM", "dPRM", "gORM", "gPRM")
    } <= (names)


def test_a_report_has_every_figure_with_its_caption(there: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.zip"
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(there / "Snakefile")),
            *("--configfile", str(there / "config/micro.yaml"), "--report", str(report)),
        ],
        check=True,
        capture_output=True,
    )
    with ZipFile(report) as archive:
        page = archive.read("report/report.html").decode()
        names = [Path(name).name for name in archive.namelist()]
    figures = figures_of(STUDY).values()
    n_of_dataset = sum(not figure.of_study for figure in figures)
    assert names.count("Micro.png") == names.count("Micro.html") == n_of_dataset
    for selection, words in (("best_of_n", "best-of-N"), ("weighted_vote", "weighted vote")):
        assert f"{selection}.csv" in names
        assert page.count(f"Accuracy ({words}) on Micro against the number") == 2
    assert page.count("the same in every figure of Micro") == 2
    assert page.count("Accuracy in % on Micro by the paper") == 2
    assert "Reward models of the study micro: dORM-micro, dPRM-micro, gORM-micro" in page
