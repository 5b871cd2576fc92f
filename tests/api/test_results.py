"""What a study has made, as Python sees it."""

from pathlib import Path

import pandas as pd
import pytest

import multirm
from multirm.errors import InputError
from multirm.report.page.page import report_page
from multirm.study.figures import FIGURES
from multirm.tables import parquet
from multirm.tables.registry import SCHEMAS
from multirm.tables.rewards import REWARDS
from multirm.tables.samples import SAMPLES
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of
from tests.report.page.test_browser import payload_of


@pytest.fixture(scope="module")
def found(finished_study: Path) -> multirm.Results:
    return multirm.results(finished_study / "results")


def test_it_lists_what_is_there(found: multirm.Results) -> None:
    assert found.evaluations == ["Micro"]
    assert found.models == ["dORM-micro", "dPRM-micro", "gORM-micro", "gPRM-micro"]
    assert {"Micro", "Micro_train"} <= set(found.datasets)
    assert "evaluations of Micro" in repr(found)


def test_an_evaluation_has_the_tables_and_figures_of_the_study(found: multirm.Results) -> None:
    evaluation = found.evaluation("Micro")
    folder = found.folder / "evaluation" / "Micro"
    assert set(evaluation.tables) == {path.stem for path in folder.glob("*.parquet")}
    for name in evaluation.tables:
        expected = parquet.read(folder / f"{name}.parquet", SCHEMAS[name]).to_pandas()
        pd.testing.assert_frame_equal(evaluation.table(name), expected)
    assert evaluation.dataset == "Micro"
    assert evaluation.summary().startswith("Micro: ")
    assert len(evaluation.charts) > 10 and set(evaluation.charts) <= set(FIGURES)
    for name in evaluation.charts:
        title = evaluation.chart(name).to_dict(validate=False)["title"]
        assert title["text"], name


def test_evaluating_its_pools_again_gives_the_same(found: multirm.Results) -> None:
    evaluation = found.evaluation("Micro")
    pairs = evaluation.accuracy[["model", "aggregation"]].dropna().drop_duplicates()
    ways = {
        str(model): sorted(set(of["aggregation"]))
        for model, of in pairs.groupby("model")
        if not str(model).endswith("@mean")
    }
    again = multirm.evaluate(found.pools("Micro"), ways, n=sorted(set(evaluation.accuracy["n"])))
    key = ["category", "selection", "model", "aggregation", "n"]
    one, other = (
        each.accuracy.sort_values(key).reset_index(drop=True) for each in (evaluation, again)
    )
    pd.testing.assert_frame_equal(one, other)


def test_samples_without_an_answer_are_in_pools_and_on_the_page(tmp_path: Path) -> None:
    key = {"dataset": "D", "category": "law"}
    sampled = [{**key, "question_id": q, "solution_id": k} for q in "pq" for k in range(4)]
    lost = [row for row in sampled if row["question_id"] == "q" or row["solution_id"] == 3]
    kept = [row for row in sampled if row not in lost]
    text = {"question": "?", "answer": "A", "steps": ["s"], "parsed_answer": "A"}
    text |= {"outcome": 1, "step_labels": None}
    reward = {"model": "m", "rewards": [0.5], "unit": "solution", "scale": "probability"}
    cost = {"n_tokens_read": 1, "n_tokens_generated": 1}
    for kind, schema, rows in (
        ("data/D", SOLUTIONS, [row | text for row in kept]),
        ("rewards/m/D", REWARDS, [row | reward for row in kept]),
        (
            "samples/D",
            SAMPLES,
            [row | cost | {"text": "t", "reason": row in lost and "cut_off"} for row in sampled],
        ),
    ):
        rows = [{**row, "reason": row.get("reason") or None} for row in rows]
        known = [{name: row.get(name) for name in schema.columns.names} for row in rows]
        parquet.write(tmp_path / kind / "law.parquet", schema, known, made_of())
    found = multirm.results(tmp_path)
    evaluation = multirm.evaluate(found.pools("D"), "last", n=1)
    # Three of eight samples are solutions, all of them right.
    overall = evaluation.accuracy.query("category == 'Overall' and selection == 'best_of_n'")
    assert overall["accuracy"].tolist() == [37.5]
    evaluation.write(tmp_path / "evaluation" / "D")
    evaluation.report(tmp_path / "own.html")
    found.evaluation("D").report(tmp_path / "read.html")
    for page in (tmp_path / "own.html", tmp_path / "read.html"):
        sizes = {row[2]: row[5] for row in payload_of(page)["questions"]}
        assert sizes == {"p": 4, "q": 4}, page.name


def test_its_page_is_that_of_the_command(found: multirm.Results, tmp_path: Path) -> None:
    found.evaluation("Micro").report(tmp_path / "python.html", title="Micro")
    others = [found.folder / "data" / "Micro", *found.folder.glob("rewards/*/Micro")]
    report_page(
        [found.folder / "evaluation" / "Micro"], tmp_path / "command.html", others, title="Micro"
    )
    one, other = ((tmp_path / f"{name}.html").read_bytes() for name in ("python", "command"))
    assert one == other and len(one) > 50_000


def test_tables_are_copied_as_they_are(found: multirm.Results, tmp_path: Path) -> None:
    found.evaluation("Micro").write(tmp_path / "copy")
    folder = found.folder / "evaluation" / "Micro"
    copied = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def test_a_query_gives_a_data_frame(found: multirm.Results) -> None:
    sql = (
        "SELECT model, count(*) AS n FROM rewards WHERE dataset = 'Micro' GROUP BY model ORDER BY 1"
    )
    frame = found.query(sql)
    assert frame["model"].tolist() == found.models and frame["n"].nunique() == 1
    pd.testing.assert_frame_equal(multirm.query(sql, str(found.folder)), frame)
    assert "rewards" in found.query("SHOW TABLES")["name"].tolist()
    with pytest.raises(InputError, match=r"^query: expected one statement that only reads"):
        found.query("DROP VIEW rewards")
    with pytest.raises(InputError, match=r"^query: expected SQL that DuckDB can run"):
        found.query("SELEC 1")


def test_what_is_not_there_is_refused(found: multirm.Results, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation: expected one of Micro, found 'micro'; did"):
        found.evaluation("micro")
    with pytest.raises(InputError, match=r"dataset: .*did you mean Micro_train\?"):
        found.pools("Micro_trian")
    with pytest.raises(InputError, match="evaluation: expected some, found none"):
        multirm.results(tmp_path).evaluation("Micro")
    with pytest.raises(InputError, match="expected a folder of results, found no such folder"):
        multirm.results(tmp_path / "no")


def test_a_study_is_loaded(finished_study: Path, tmp_path: Path) -> None:
    study = multirm.load_study(str(finished_study / "config" / "config.yaml"))
    assert study.study == "miniature" and study.seed == 42
    with pytest.raises(InputError, match="expected a study in YAML, found no such file"):
        multirm.load_study(tmp_path / "no.yaml")
