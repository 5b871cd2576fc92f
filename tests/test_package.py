"""`import multirm`: instant, typed, and complete."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import multirm
from multirm.running.code import code_of as code_of_job
from multirm.version import VERSION
from tests.test_docs import PAGES, code_of

ROOT = Path(__file__).resolve().parents[1]

USER = """
from pathlib import Path
import multirm

frame = [{"question_id": 1, "answer": "A", "parsed_answer": "A", "reward": 0.5}]
pools: multirm.Pools = multirm.Pools.from_frame(frame, rewards={"m": "reward"}, scale="probability")
evaluation: multirm.Evaluation = multirm.evaluate(pools, {"m": ["last", "min"]}, n=1)
evaluation.write(Path("out"))
names: list[str] = evaluation.charts
text: str = evaluation.summary()
version: str = multirm.__version__
found: multirm.Results = multirm.results("results")
again = multirm.score("dPRM", pools)
reveal_type(again)
multirm.evaluate(frame)  # type: ignore[arg-type]
multirm.evaluate(pools, aggregations="min")  # type: ignore[call-arg]
try:
    multirm.query("SELECT 1")
except multirm.InputError as error:
    remedy: str = error.remedy
"""


def python_of(page: Path) -> str:
    """The code of a page that uses the package in Python, in order."""
    return "\n".join(code for code in code_of(page) if "multirm." in code and is_python(code))


def is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


# Of the package, only what users call is read: all of it takes a minute.
SETTINGS = """
[mypy]
strict = true
[mypy-pandas.*]
ignore_missing_imports = true
[mypy-multirm.*]
follow_imports = skip
[mypy-multirm.api.*]
follow_imports = silent
[mypy-multirm,multirm.errors]
follow_imports = silent
"""


# What readers of a page have, whether or not its code says so.
READERS = "import multirm\nimport pandas as pd\nframe: pd.DataFrame\n"


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)


def test_importing_it_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import multirm, importlib, typing; "
        "multirm.__version__, dir(multirm); "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    run_ = run(sys.executable, "-c", code)
    imported = set(run_.stdout.split())
    assert "multirm" in imported, run_.stderr
    assert imported - sys.stdlib_module_names == {"multirm"}


def test_all_names_are_there() -> None:
    for name in multirm.__all__:
        assert name in dir(multirm)
        assert getattr(multirm, name) is not None
    assert multirm.__version__ == VERSION
    with pytest.raises(AttributeError, match="'multirm' has no attribute 'evalute'"):
        _ = multirm.evalute  # type: ignore[attr-defined]


def test_every_name_has_a_docstring_with_its_arguments() -> None:
    for name in {*multirm.__all__} - {"__version__"}:
        assert getattr(multirm, name).__doc__, name
    for function in (multirm.evaluate, multirm.score, multirm.query, multirm.Pools.from_frame):
        said = str(function.__doc__)
        assert "Args:" in said and "Raises:" in said


def test_types_are_those_that_users_see(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    pages = {f"page_{page.stem}.py": code for page in PAGES if (code := python_of(page))}
    for name, code in pages.items():
        (tmp_path / name).write_text(READERS + code)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "user.py", *pages],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
    )
    assert checked.returncode == 0, checked.stdout
    assert pages["page_python.py"].count("multirm.") > 10
    assert 'Revealed type is "multirm.api.pools.Pools"' in checked.stdout


def test_types_are_in_the_wheel() -> None:
    assert (ROOT / "src" / "multirm" / "py.typed").read_text() == ""
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    # Hatchling packs all files of a package that git does not ignore.
    assert built["targets"]["wheel"] == {"packages": ["src/multirm"]}
    assert run("git", "check-ignore", "src/multirm/py.typed").returncode == 1


@pytest.mark.parametrize(
    "job",
    [
        "critiques.generate",
        "training.discriminative",
        "scoring.generative",
        "evaluation.accuracy",
        "figures.gains",
    ],
)
def test_no_job_runs_any_of_it(job: str) -> None:
    """Otherwise, a change to it would make jobs stale."""
    code = code_of_job(f"multirm.{job}")
    assert len(code) > 10
    assert [name for name in code if name.split(".")[0] in ("api", "")] == []
