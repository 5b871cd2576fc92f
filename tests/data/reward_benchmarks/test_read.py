"""Readers of reward-model benchmarks: rows in each published format, the real files, and what is refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.data.reward_benchmarks.read import prompts_in, read_responses
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.responses import RESPONSES, REWARDBENCH_SECTIONS, Benchmark
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS

RB: dict[str, Any] = {
    "id": 7,
    "prompt": "Why?",
    "chosen": "Because.",
    "rejected": "No.",
    "subset": "llmbar-adver-GPTInst",
}
RB2: dict[str, Any] = {
    "id": "12",
    "prompt": "Why?",
    "chosen": ["a"],
    "rejected": ["b", "c", "d"],
    "subset": "Precise IF",
}
TIES = RB2 | {"id": "tied:3", "chosen": ["red", "blue"], "rejected": ["seven"], "subset": "Ties"}
RM: dict[str, Any] = {
    "id": 8,
    "domain": "safety-refuse",
    "prompt": "Why?",
    "chosen": ["a", "b", "c"],
    "rejected": ["d", "e", "f"],
}
HELPSTEER: dict[str, Any] = {
    "domain": "stem",
    "context": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Why?"},
    ],
    "response1": "one",
    "response2": "two",
    "overall_preference": -2,
}
BINARIZED: dict[str, Any] = {
    "prompt": "Why?",
    "prompt_id": "x",
    "chosen": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "good"}],
    "rejected": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "bad"}],
    "score_chosen": 8.5,
    "score_rejected": 7.0,
}
JUDGED: dict[str, Any] = {
    "pair_id": "p",
    "source": "mmlu-pro-computer science",
    "question": "Why?",
    "response_A": "first",
    "response_B": "second",
    "label": "A>B",
    "judgments": [
        {"judgment": {"judge_model": "rm", "scores": [2, -1.5]}},
        {"judgment": {"judge_model": "rm", "scores": [7, 8]}},
    ],
}
PPE: dict[str, Any] = {
    "question_id": "q",
    "prompt": "Why?",
    "language": "English",
    "winner": "model_b",
    "response_1": "one",
    "response_2": "two",
}
BEST_OF_K: dict[str, Any] = {
    "question_id": "q",
    "prompt": "Why?",
    "scores": [True, False, True],
    **{f"response_{k}": f"text {k}" for k in (1, 2, 3)},
}


def rated(*ratings: str) -> dict[str, Any]:
    aspects = ("helpfulness", "honesty", "truthfulness", "instruction_following")
    return {
        "response": "/".join(ratings),
        "annotations": {
            name: {"Rating": rating} for name, rating in zip(aspects, ratings, strict=True)
        },
    }


RAW: dict[str, Any] = {
    "source": "sharegpt",
    "instruction": "Why?",
    "completions": [rated(*"5555"), rated("4", "N/A", "4", "4"), rated(*"5555"), rated(*"1234")],
}


def read(tmp_path: Path, benchmark: Benchmark, *rows: Any, name: str = "rows.jsonl") -> Any:
    """The prompts of a file with these rows, and what was left out."""
    file, tally = tmp_path / name, Tally()
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return list(prompts_in(benchmark, [str(file)], tally)), tally.of("")


def one(tmp_path: Path, benchmark: Benchmark, row: Any, name: str = "rows.jsonl") -> Any:
    """Subset, section, id, text, margin and responses (whether chosen, and text) of the only prompt."""
    (prompt,), _ = read(tmp_path, benchmark, row, name=name)
    responses = [(each.is_chosen, each.text) for each in prompt.responses]
    return (
        (prompt.subset, prompt.section, prompt.prompt_id, prompt.text),
        prompt.margin,
        responses,
    )


def test_rewardbench_has_sections_of_subsets(tmp_path: Path) -> None:
    assert one(tmp_path, Benchmark.REWARDBENCH, RB) == (
        ("llmbar-adver-gptinst", "chat_hard", "7", "Why?"),
        None,
        [(True, "Because."), (False, "No.")],
    )
    # 2,538 prompts of the four sections, and 447 mathematical ones.
    counts = {name: sum(subsets.values()) for name, subsets in REWARDBENCH_SECTIONS.items()}
    assert counts == {"chat": 358, "chat_hard": 456, "safety": 740, "reasoning": 2 * 984}
    prior = one(tmp_path, Benchmark.REWARDBENCH, RB | {"subset": "shp"})
    assert prior[0][1] == "prior_sets"


def test_rewardbench_2_has_one_right_response_among_four_or_several(tmp_path: Path) -> None:
    key, _, responses = one(tmp_path, Benchmark.REWARDBENCH_2, RB2)
    assert key == ("precise_if", "precise_if", "12", "Why?")
    assert responses == [(True, "a"), (False, "b"), (False, "c"), (False, "d")]
    key, _, responses = one(tmp_path, Benchmark.REWARDBENCH_2, TIES)
    assert key[:3] == ("ties", "ties", "tied:3")
    assert responses == [(True, "red"), (True, "blue"), (False, "seven")]


def test_rm_bench_has_three_styles_of_each(tmp_path: Path) -> None:
    (prompt,), _ = read(tmp_path, Benchmark.RM_BENCH, RM)
    assert (prompt.subset, prompt.section) == ("safety-refuse", "safety")
    assert [each.style for each in prompt.responses] == ["concise", "detailed", "markdown"] * 2
    row = {key: RM[key] for key in RM if key != "domain"}
    assert one(tmp_path, Benchmark.RM_BENCH, row, "code_filtered.jsonl")[0][:2] == ("code", "code")


def test_preferences_say_how_much_better_a_response_is(tmp_path: Path) -> None:
    assert one(tmp_path, Benchmark.HELPSTEER3, HELPSTEER) == (
        ("stem", "stem", "000000", "User: Hi\n\nAssistant: Hello\n\nUser: Why?"),
        2.0,
        [(True, "one"), (False, "two")],
    )
    other = one(tmp_path, Benchmark.HELPSTEER3, HELPSTEER | {"overall_preference": 3})
    assert other[1:] == (3.0, [(True, "two"), (False, "one")])
    assert one(tmp_path, Benchmark.ULTRAFEEDBACK_BINARIZED, BINARIZED) == (
        ("rows", "rows", "x", "Why?"),
        1.5,
        [(True, "good"), (False, "bad")],
    )
    assert one(tmp_path, Benchmark.ULTRAFEEDBACK, RAW) == (
        ("sharegpt", "sharegpt", "000000", "Why?"),
        1.0,
        [(True, "5/5/5/5"), (False, "4/N/A/4/4"), (True, "5/5/5/5"), (False, "1/2/3/4")],
    )


def test_ppe_has_preferences_and_pools(tmp_path: Path) -> None:
    assert one(tmp_path, Benchmark.PPE_PREFERENCE, PPE)[0][0] == "english"
    assert one(tmp_path, Benchmark.PPE_PREFERENCE, PPE)[2] == [(True, "two"), (False, "one")]
    key, _, responses = one(tmp_path, Benchmark.PPE_CORRECTNESS, BEST_OF_K, "gpqa.jsonl")
    assert key[0] == "gpqa"
    assert [chosen for chosen, _ in responses] == [True, False, True]


def test_what_compares_nothing_is_left_out_and_counted(tmp_path: Path) -> None:
    same = RAW | {"completions": [rated(*"5555"), rated(*"5555")]}
    unrated = RAW | {"completions": [rated(*"5555"), rated("N/A", "N/A", "N/A", "N/A")]}
    for benchmark, row, reason in (
        (Benchmark.HELPSTEER3, HELPSTEER | {"overall_preference": 0}, "without a preference"),
        (Benchmark.PPE_PREFERENCE, PPE | {"winner": "tie (bothbad)"}, "ties"),
        (Benchmark.ULTRAFEEDBACK, same, "one grade"),
        (Benchmark.ULTRAFEEDBACK, unrated, "unrated"),
        (Benchmark.ULTRAFEEDBACK_BINARIZED, BINARIZED | {"score_chosen": 7}, "equal scores"),
    ):
        prompts, counted = read(tmp_path, benchmark, row, row)
        assert prompts == []
        ((said, n),) = counted.items()
        assert (reason in said, n) == (True, 2)


@pytest.mark.parametrize(
    ("benchmark", "row", "complaint"),
    [
        ("rewardbench", RB | {"subset": "llmbar"}, "key subset: expected a subset of RewardBench"),
        ("rewardbench", {"id": 1}, "expected the key subset"),
        ("rewardbench_2", RB2 | {"chosen": []}, "key chosen: expected at least one response"),
        ("rewardbench_2", RB2 | {"chosen": ["a", "b"]}, "key chosen: expected one response"),
        ("rewardbench_2", TIES | {"id": "3"}, "key id: expected ref:NUMBER or tied:NUMBER"),
        ("rm_bench", RM | {"domain": "art"}, "key domain: expected chat, math, code"),
        ("rm_bench", RM | {"rejected": ["a"]}, "key rejected: expected three responses, found 1"),
        ("judgebench", JUDGED | {"label": "A=B"}, "key label: expected A>B or B>A, found 'A=B'"),
        ("judgebench", JUDGED | {"source": "art"}, "key source: expected one that begins with"),
        ("judgebench", JUDGED | {"judgments": []}, "key judgments: expected at least one game"),
        ("helpsteer3", HELPSTEER | {"overall_preference": 4}, "overall_preference: expected -3 to"),
        ("helpsteer3", HELPSTEER | {"context": []}, "key context: expected a prompt with text"),
        ("ppe_preference", PPE | {"winner": "me"}, "key winner: expected model_a, model_b, tie"),
        ("ppe_correctness", BEST_OF_K | {"scores": [True]}, "expected a score for each of 3"),
        ("ppe_correctness", BEST_OF_K | {"scores": [True, None, False]}, "true or false"),
        ("ultrafeedback", RAW | {"completions": []}, "key completions: expected at least one"),
        ("ultrafeedback", RAW | {"completions": [rated(*"1236")]}, "key Rating: expected 1 to 5"),
        ("ultrafeedback_binarized", BINARIZED | {"chosen": []}, "expected at least one message"),
        ("ultrafeedback_binarized", BINARIZED | {"score_chosen": 1}, "at least score_rejected"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, benchmark: str, row: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=f"rows.jsonl, line 1.*{complaint}"):
        read(tmp_path, Benchmark(benchmark), row)


def test_scores_must_be_two_numbers(tmp_path: Path) -> None:
    for scores, complaint in (([1], "two scores"), ([1, "2"], r"key scores\[1\]: expected")):
        game = {"judgment": {"judge_model": "rm", "scores": scores}}
        with pytest.raises(InputError, match=complaint):
            read(tmp_path, Benchmark.JUDGEBENCH, JUDGED | {"judgments": [game]})


def test_tables_say_which_responses_are_better_and_hold_their_texts(tmp_path: Path) -> None:
    source = tmp_path / "source.parquet"
    pq.write_table(pa.Table.from_pylist([RB | {"chosen": "One.\n\nTwo."}]), source)
    outputs = [tmp_path / "responses.parquet", tmp_path / "solutions.parquet"]
    read_responses(Benchmark.REWARDBENCH, [str(source)], "RB", *outputs)
    first, second = parquet.read(outputs[0], RESPONSES).to_pylist()
    assert (first["is_chosen"], second["is_chosen"]) == (True, False)
    rows = parquet.read(outputs[1], SOLUTIONS).to_pylist()
    assert [row["steps"] for row in rows] == [["One.", "Two."], ["No."]]
    assert [[row[name] for name in SOLUTIONS.key] for row in rows] == [
        ["RB", "llmbar-adver-gptinst", "7", k] for k in (0, 1)
    ]
    read_responses(Benchmark.REWARDBENCH, [str(source)], "RB", *outputs, one_step=True)
    assert parquet.read(outputs[1], SOLUTIONS)["steps"].to_pylist() == [["One.\n\nTwo."], ["No."]]


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    outputs = [tmp_path / "responses.parquet", tmp_path / "solutions.parquet"]

    def refused(rows: list[Any], complaint: str, **options: Any) -> None:
        source = tmp_path / "rows.jsonl"
        source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        with pytest.raises(InputError, match=complaint):
            read_responses(Benchmark.REWARDBENCH, [str(source)], "RB", *outputs, **options)
        assert not outputs[0].exists()

    refused([RB, RB], "line 2: expected each id once in a subset, found .*/7 again, after .*line 1")
    refused([RB | {"rejected": " "}], "prompts with an empty response left out: 1")
    refused([RB], "expected the scores of one", output_rewards=tmp_path / "rewards.parquet")
    broken = tmp_path / "rows.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="expected a Parquet file"):
        read_responses(Benchmark.REWARDBENCH, [str(broken)], "RB", *outputs)
    text = tmp_path / "rows.txt"
    text.write_text("x")
    with pytest.raises(InputError, match=r"expected a file named \*.json, \*.jsonl or \*.parquet"):
        read_responses(Benchmark.REWARDBENCH, [str(text)], "RB", *outputs)


def test_scores_in_the_source_become_rewards(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    games = [{"judgment": {"judge_model": "rm", "scores": [None, float("nan")]}}]
    other = JUDGED | {"pair_id": "q", "label": "B>A", "judgments": games}
    source.write_text(f"{json.dumps(JUDGED | {'label': 'B>A'})}\n{json.dumps(other)}\n")
    outputs = [tmp_path / f"{name}.parquet" for name in ("responses", "solutions", "rewards")]
    read_responses(Benchmark.JUDGEBENCH, [str(source)], "JB", *outputs)
    rows = parquet.read(outputs[2], REWARDS).to_pylist()
    assert [row["rewards"] for row in rows] == [[-1.5], [2.0], [None], [None]]
    assert {row["model"] for row in rows} == {"rm"}
    read_responses(Benchmark.JUDGEBENCH, [str(source)], "JB", *outputs, model="mine")
    assert set(parquet.read(outputs[2], REWARDS)["model"].to_pylist()) == {"mine"}


def sections_of(benchmark: Benchmark, *source: Path) -> Counter[str]:
    prompts = list(prompts_in(benchmark, [str(path) for path in source], Tally()))
    return Counter(prompt.section for prompt in prompts)


def test_the_real_files_are_read(shared_data: Path) -> None:
    assert sections_of(Benchmark.LLMBAR, shared_data / "llmbar") == {
        "natural": 100,
        "adversarial": 92 + 47 + 46 + 134,
    }
    assert sections_of(Benchmark.JUDGEBENCH, shared_data / "judgebench") == {
        "mmlu-pro": 154,
        "livebench-reasoning": 98,
        "livebench-math": 56,
        "livecodebench": 42,
    }
    assert sections_of(Benchmark.EVALBIASBENCH, shared_data / "evalbiasbench") == {
        "concreteness": 14,
        "content_continuation": 12,
        "empty_reference": 13,
        "familiar_knowledge_preference_bias": 12,
        "length_bias": 17,
        "nested_instruction": 12,
    }
    assert sections_of(Benchmark.RM_BENCH, shared_data / "rmbench") == {"chat": 129}


def test_steps_of_prm800k_share_what_comes_before(shared_data: Path) -> None:
    """Against a plain walk over the file."""
    file = shared_data / "prm800k" / "raw" / "phase1-train-example.json"
    rest, expected = file.read_text().strip(), []
    while rest:
        row, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].strip()
        before: list[str] = []
        for step in row["label"]["steps"]:
            good, bad = (
                {each["text"].strip() for each in step["completions"] if each["rating"] == rating}
                for rating in (1, -1)
            )
            if good and bad:
                expected.append((list(before), good, bad))
            chosen, written = step["chosen_completion"], step["human_completion"]
            if chosen is None and not written:
                break
            taken = written if chosen is None else step["completions"][chosen]
            before.append(taken["text"].strip())
    found = []
    for prompt in prompts_in(Benchmark.PRM800K, [str(file)], Tally()):
        (shared,) = {tuple(each.steps[:-1]) for each in prompt.responses if each.steps}
        sides = [
            {each.text for each in prompt.responses if each.is_chosen is side}
            for side in (True, False)
        ]
        found.append((list(shared), *sides))
    assert found == expected
    assert len(found) > 3
