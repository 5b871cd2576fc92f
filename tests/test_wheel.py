"""What `pip install` installs: every file of the package, and enough of them to evaluate and to write a page."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from multirm.version import VERSION
from tests.conftest import ROOT

# The stylesheets and scripts of the page, the dictionary of columns and the templates are files beside the code.
USER = """
from importlib.metadata import version
import multirm
from multirm.text.augmenting import AugmentationKind, load_augment_template

print(multirm.__file__)
assert version("multirm") == multirm.__version__
rows = [
    {"question_id": question, "answer": "A", "parsed_answer": "AB"[(question + k) % 2], "score": k}
    for question in range(4)
    for k in range(4)
]
evaluation = multirm.evaluate(multirm.Pools.from_frame(rows, rewards={"m": "score"}))
evaluation.write("mine")
evaluation.report("page.html")
evaluation.chart("best_of_n").save("chart.svg")
assert len(multirm.query("FROM columns WHERE view = 'accuracy'", "mine"))
for kind in AugmentationKind:
    assert load_augment_template(kind)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", str(folder)], cwd=ROOT, check=True)
    (found,) = folder.iterdir()
    return found


def test_it_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    # Also those that are not committed yet.
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = {name.removeprefix("src/") for name in listed.stdout.split()}
    packed = set(zipfile.ZipFile(wheel).namelist())
    information = f"multirm-{VERSION}.dist-info/"
    assert {name for name in packed if not name.startswith(information)} == files
    assert {Path(name).suffix for name in files} > {".py", ".typed", ".js", ".css", ".yaml", ".txt"}
    scripts = zipfile.ZipFile(wheel).read(f"{information}entry_points.txt").decode()
    assert "multirm = multirm.__main__:main" in scripts


def test_it_evaluates_and_writes_a_page_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    run = subprocess.run(
        [sys.executable, "-P", "-c", USER],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(installed))
    assert "<script" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "chart.svg").stat().st_size
