"""config/published.yaml on local copies in the published layout: every figure and table that such data allow."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from multirm.formats.layouts import REWARD_SUFFIX
from multirm.study.load import load_study
from multirm.study.report_files import report_targets
from multirm.study.study import Study
from multirm.study.targets import evaluation_targets, figure_targets
from multirm.tables import parquet
from multirm.tables.ledger import LEDGER

ROOT = Path(__file__).resolve().parents[2]
# Of a page's body, in pixels.
MARGINS = 2 * 8
QUESTIONS, SOLUTIONS, CRITIQUES = 6, 8, 4
# A dataset with categories and one without, as in the file.
DATASETS = {
    "MMLU-Pro_Llama-3.1-8B-Instruct": ["law", "physics"],
    "MedQA_SmolLM3-3B": ["test"],
}
MODELS = [f"{kind}-14B-published" for kind in ("dORM", "dPRM", "gORM", "gPRM")]


def pools(category: str) -> list[dict[str, Any]]:
    """Questions in the layout of test sets, a row each; some solutions have no answer."""
    drawn = random.Random(category)
    numbers = range(SOLUTIONS)
    return [
        {
            "q_id": question,
            "question": f"Which of these is {question}?",
            "answer": "A",
            "cot_ids": list(numbers),
            "cots": [[f"Step {step}." for step in range(drawn.randint(1, 5))] for _ in numbers],
            "parsed_answers": [drawn.choice(["A", "A", "B", "C", "N/A"]) for _ in numbers],
        }
        for question in range(QUESTIONS)
    ]


def rewards(model: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rewards of these solutions in the layout of the hub: one per step, or one per critique."""
    drawn = random.Random(model)

    def listed(steps: list[str], answer: str) -> list[float]:
        count = len(steps) if model.startswith("d") else CRITIQUES
        return [drawn.betavariate(4 if answer == "A" else 2, 2) for _ in range(count)]

    return [
        {
            "q_id": row["q_id"],
            "cot_ids": row["cot_ids"],
            "rewards": list(map(listed, row["cots"], row["parsed_answers"])),
        }
        for row in rows
    ]


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(rows))


def cut() -> dict[str, Any]:
    """The study with the test sets and reward models that are written here, from folders below `data`."""
    study: dict[str, Any] = yaml.safe_load((ROOT / "config" / "published.yaml").read_text())
    study["categories"] = DATASETS["MMLU-Pro_Llama-3.1-8B-Instruct"]
    study["datasets"] = {name: study["datasets"][name] for name in DATASETS}
    study["models"] = {name: study["models"][name] for name in MODELS}
    for name, dataset in study["datasets"].items():
        dataset["source"] = [name]
    for name, model in study["models"].items():
        model["rewards"] = {dataset: [f"{name}/{dataset}"] for dataset in DATASETS}
    study["evaluation"] |= {"datasets": list(DATASETS), "n": [1, 2, 4]}
    return study


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Study]]:
    """A folder with the finished study, and the study."""
    folder = tmp_path_factory.mktemp("published")
    for dataset, categories in DATASETS.items():
        for category in categories:
            rows = pools(category)
            write(folder / dataset, category, rows)
            for model in MODELS:
                name = f"{category}{REWARD_SUFFIX}"
                write(folder / model / dataset, name, rewards(model, rows))
    file = folder / "published.yaml"
    file.write_text(yaml.safe_dump({**cut(), "data": str(folder)}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    run = subprocess.run(
        [*command, "--configfile", str(file), "--cores", "2", "--show-failed-logs", "--", "all"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    yield folder, load_study(yaml.safe_load(file.read_text()), [file])


def test_every_table_and_figure_is_made(published: tuple[Path, Study]) -> None:
    folder, study = published
    targets = [*evaluation_targets(study), *figure_targets(study), *report_targets(study)]
    assert len(targets) > 100
    files = [folder / target.replace("<results>", "results") for target in targets]
    assert [file for file in files if not file.is_file()] == []


def test_nothing_is_trained_scored_or_lost(published: tuple[Path, Study]) -> None:
    folder, _ = published
    rules = {path.name for path in (folder / "results" / "logs").iterdir()}
    assert not [rule for rule in rules if "train" in rule or "score" in rule]
    for dataset, categories in DATASETS.items():
        rows = parquet.read(
            folder / "results" / "evaluation" / dataset / "ledger.parquet", LEDGER
        ).to_pylist()
        assert {row["category"] for row in rows} == set(categories)
        assert {row["model"] for row in rows if row["model"]} == set(MODELS)
        assert {row["n_solutions"] for row in rows} == {QUESTIONS * SOLUTIONS}


def test_pages_have_a_title_fit_a_screen_and_tell_value_interval_and_number(
    published: tuple[Path, Study],
) -> None:
    folder, _ = published
    for page in sorted((folder / "results" / "figures").glob("*/*.html")):
        text = page.read_text()
        name, said = page.parent.name, re.search("<title>(.*?)</title>", text)
        assert said and said[1] not in ("", "Figure"), name
        width = re.search(r'<svg[^>]* width="([\d.]+)"', page.with_suffix(".svg").read_text())
        assert width and float(width[1]) + MARGINS <= 700, name
        drawn = re.search(r'vegaEmbed\("#figure", (.*), \{.*\);\n', text)
        assert drawn
        for told in tooltips(json.loads(drawn[1])):
            assert any("95 % interval" in each for each in told), (name, told)
            counts = {"Questions", "Solutions", "Simulated solutions", "Number of solutions", "n"}
            assert {*told} & counts, (name, told)


def tooltips(drawn: Any) -> list[list[str]]:
    """The titles of what each mark of a specification tells."""
    if isinstance(drawn, list):
        return [told for each in drawn for told in tooltips(each)]
    if not isinstance(drawn, dict):
        return []
    own = drawn.get("tooltip")
    titles = [[each["title"] for each in own]] if isinstance(own, list) else []
    return titles + tooltips(list(drawn.values()))


def test_what_cannot_be_shown_is_said_in_the_figure_and_in_the_docs(
    published: tuple[Path, Study],
) -> None:
    folder, _ = published
    pages = (folder / "results" / "figures").glob("*/*.html")
    # A panel without content says why.
    without = {page.parent.name for page in pages if '"why": ' in page.read_text()}
    said = (ROOT / "docs" / "figures.md").read_text()
    rows = [line for line in said.splitlines() if "| without content:" in line]
    assert without == {name for row in rows for name in re.findall(r"`(\w+)`", row)}
