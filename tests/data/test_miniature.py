"""The miniature: its labels are true, its splits disjoint, and its policies behave as described."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from multirm.data.miniature.bare_questions import generate_questions
from multirm.data.miniature.chains import walk
from multirm.data.miniature.facts import load_facts
from multirm.data.miniature.generate import generate_miniature
from multirm.data.miniature.questions import CATEGORIES, LETTERS, draw_questions
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS, Split
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.text.answers import outcome_label
from multirm.text.labels import parse_choice
from multirm.text.solving import parse_answer

Rows = list[dict[str, Any]]


def generate(
    folder: Path,
    category: str,
    policy: Policy = Policy.JUNIOR,
    split: Split = Split.TEST,
    questions: int = 30,
    solutions: int = 16,
    label_noise: float = 0.0,
) -> tuple[Rows, Rows]:
    paths = folder / "questions.parquet", folder / "solutions.parquet"
    generate_miniature(
        category, "mini", policy, split, questions, solutions, label_noise, 7, *paths
    )
    return (
        parquet.read(paths[0], QUESTIONS).to_pylist(),
        parquet.read(paths[1], SOLUTIONS).to_pylist(),
    )


@pytest.fixture(scope="module", params=CATEGORIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return generate(tmp_path_factory.mktemp(request.param), request.param)


def test_questions_have_ten_distinct_options_and_a_right_answer(made: tuple[Rows, Rows]) -> None:
    for row in made[0]:
        assert len(set(row["options"])) == 10
        assert row["answer"] in LETTERS
        lines = row["question"].split("\n")
        assert lines[1:] == [
            f"{letter}. {option}" for letter, option in zip(LETTERS, row["options"], strict=True)
        ]


def test_bare_questions_are_those_that_are_generated_with_solutions(tmp_path: Path) -> None:
    rows, _ = generate(tmp_path, "history", split=Split.TRAIN, questions=5, solutions=1)
    output = tmp_path / "bare.parquet"
    generate_questions("history", "mini", Split.TRAIN, 5, output, 7)
    assert parquet.read(output, QUESTIONS).to_pylist() == rows
    with pytest.raises(InputError, match="a category among"):
        generate_questions("law", "mini", Split.TRAIN, 5, output, 7)


@pytest.mark.parametrize("category", CATEGORIES)
def test_open_questions_are_the_same_without_letters(tmp_path: Path, category: str) -> None:
    questions, solutions = generate(tmp_path, category, questions=5, solutions=8)
    paths = tmp_path / "q.parquet", tmp_path / "s.parquet", tmp_path / "bare.parquet"
    asked = category, "mini", Policy.JUNIOR, Split.TEST, 5, 8, 0.0, 7
    generate_miniature(*asked, *paths[:2], open_questions=True)
    generate_questions(category, "mini", Split.TEST, 5, paths[2], 7, open_questions=True)
    opened = parquet.read(paths[0], QUESTIONS).to_pylist()
    assert parquet.read(paths[2], QUESTIONS).to_pylist() == opened
    texts = {}
    for row, before in zip(opened, questions, strict=True):
        texts[row["question_id"]] = dict(zip(LETTERS, before["options"], strict=True))
        assert row["options"] is None and "\n" not in row["question"]
        assert before["question"].startswith(row["question"])
        assert row["answer"] == texts[row["question_id"]][before["answer"]]
    for row, before in zip(parquet.read(paths[1], SOLUTIONS).to_pylist(), solutions, strict=True):
        of = texts[row["question_id"]]
        assert row["parsed_answer"] == of.get(before["parsed_answer"])
        assert parse_answer("\n\n".join(row["steps"]), 0) == row["parsed_answer"]
        assert (row["outcome"], row["step_labels"]) == (before["outcome"], before["step_labels"])
        assert row["steps"][:-1] == before["steps"][:-1]


def test_outcomes_agree_with_the_text(made: tuple[Rows, Rows]) -> None:
    for row in made[1]:
        assert parse_choice("\n\n".join(row["steps"])) == row["parsed_answer"]
        assert row["outcome"] == outcome_label(row["parsed_answer"], row["answer"])


@pytest.mark.parametrize("category", CATEGORIES)
def test_step_labels_say_whether_a_sentence_is_in_the_true_chain(
    category: str, tmp_path: Path
) -> None:
    _, rows = generate(tmp_path, category)
    questions = draw_questions(category, Split.TEST, 30, 7)
    recoveries = 0
    for row in rows:
        question = questions[int(row["question_id"].split("-")[1])]
        true = [*walk(question.chain).sentences, f"The answer is ({question.answer})."]
        first = row["step_labels"].index(0) if 0 in row["step_labels"] else len(row["steps"])
        assert row["steps"][:first] == true[:first]
        if first < len(row["steps"]):
            assert row["steps"][first] != true[first]
        repaired = [k for k, step in enumerate(row["steps"]) if step.startswith("No, wait.")]
        for k in repaired:
            recoveries += 1
            assert row["outcome"] == 1
            assert set(row["step_labels"][k:]) == {1}
            assert row["step_labels"][first] == 0
            assert row["steps"][k] == f"No, wait. {true[first]}"
        if row["outcome"] and not repaired and first < len(row["steps"]):
            assert row["steps"][-1].startswith(("The answer", "No option fits. I guess"))
    assert 0.02 < recoveries / len(rows) < 0.2


def test_junior_pools_leave_room_above_a_vote(made: tuple[Rows, Rows]) -> None:
    pools = [list(pool) for _, pool in groupby(made[1], key=lambda row: row["question_id"])]
    accuracy = sum(row["outcome"] for row in made[1]) / len(made[1])
    ceiling = sum(any(row["outcome"] for row in pool) for pool in pools) / len(pools)
    votes = 0
    for pool in pools:
        counts = Counter(row["parsed_answer"] for row in pool if row["parsed_answer"])
        votes += counts.most_common(1)[0][0] == pool[0]["answer"]
    assert 0.3 < accuracy < 0.6
    assert votes / len(pools) < 0.8
    assert ceiling > 0.9


def test_senior_does_better_on_the_same_questions(tmp_path: Path) -> None:
    junior = generate(tmp_path, "history", Policy.JUNIOR)
    senior = generate(tmp_path, "history", Policy.SENIOR)
    assert junior[0] == senior[0]
    assert sum(r["outcome"] for r in senior[1]) > 1.2 * sum(r["outcome"] for r in junior[1])


def test_some_solutions_have_no_answer(tmp_path: Path) -> None:
    _, rows = generate(tmp_path, "business")
    unanswered = [row for row in rows if row["parsed_answer"] is None]
    assert 0 < len(unanswered) < 0.1 * len(rows)
    assert {row["outcome"] for row in unanswered} == {0}


@pytest.mark.parametrize("category", CATEGORIES)
def test_splits_share_no_questions(category: str) -> None:
    stems = [
        question.chain.stem
        for split in Split
        for question in draw_questions(category, split, 90, 7)
    ]
    assert len(set(stems)) == len(stems) == 270


def test_a_smaller_count_gives_a_prefix(tmp_path: Path) -> None:
    few = generate(tmp_path, "chemistry", questions=3, solutions=2)
    many = generate(tmp_path, "chemistry", questions=5, solutions=3)
    assert few[0] == many[0][:3]
    assert few[1] == [r for r in many[1] if r["solution_id"] < 2 and r["question_id"] < "test-0003"]


def test_label_noise_flips_labels_and_nothing_else(tmp_path: Path) -> None:
    _, clean = generate(tmp_path, "chemistry", questions=40)
    _, noisy = generate(tmp_path, "chemistry", questions=40, label_noise=0.2)
    flips = [
        a != b
        for row, other in zip(clean, noisy, strict=True)
        for a, b in zip(row["step_labels"], other["step_labels"], strict=True)
    ]
    outcomes = [row["outcome"] != other["outcome"] for row, other in zip(clean, noisy, strict=True)]
    assert sum(flips) / len(flips) == pytest.approx(0.2, abs=0.03)
    assert sum(outcomes) / len(outcomes) == pytest.approx(0.2, abs=0.05)
    unlabelled = {"step_labels", "outcome"}
    assert [{k: v for k, v in row.items() if k not in unlabelled} for row in clean] == [
        {k: v for k, v in row.items() if k not in unlabelled} for row in noisy
    ]


def test_drills_label_their_statements(tmp_path: Path) -> None:
    _, rows = generate(tmp_path, "chemistry", Policy.TUTOR, questions=50, solutions=2)
    elements = load_facts("elements")
    checked = []
    for row in rows:
        assert (row["answer"], row["parsed_answer"], row["outcome"]) == (None, None, None)
        for statement, label in zip(row["steps"], row["step_labels"], strict=True):
            if said := re.fullmatch(r"The number of (\w+) is (\d+)\.", statement):
                true = any((e["name"], e["number"]) == said.groups() for e in elements)
                assert label == int(true)
                checked.append(label)
            if said := re.fullmatch(r"Then (\d+) ([+-]) (\d+) = (\d+)\.", statement):
                a, sign, b, total = said.groups()
                assert label == int(int(a) + int(f"{sign}{b}") == int(total))
                checked.append(label)
    assert len(checked) > 300
    assert 0.5 < sum(checked) / len(checked) < 0.7


def test_unknown_category_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"business, chemistry.*found 'alchemy'"):
        generate(tmp_path, "alchemy")
    assert not list(tmp_path.iterdir())


def test_more_questions_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="ask for fewer"):
        draw_questions("computer_science", Split.TEST, 5000, 7)


def test_facts_agree_with_what_can_be_computed() -> None:
    for row in load_facts("protocols"):
        assert int(row["hexadecimal"], 16) == int(row["port"])
    elements = load_facts("elements")
    assert [int(row["number"]) for row in elements] == list(range(1, 19))
    noble = {row["symbol"] for row in elements if row["group"] == "18"}
    assert noble == {"He", "Ne", "Ar"}
    for row in load_facts("currencies"):
        assert re.fullmatch("[A-Z]{3}", row["code"])
    for name, key in (("elements", "symbol"), ("events", "name"), ("currencies", "city")):
        values = [row[key] for row in load_facts(name)]
        assert len(set(values)) == len(values)
