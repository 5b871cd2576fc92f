"""Jobs that write critiques or solutions can be killed, and run out of disk, and their tables are the same."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from multirm.models.load import load_tokenizer
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import encode_prompt
from multirm.text.prompts import END_OF_THINKING, VERDICT_MARKS
from tests.origins import made_of
from tests.scoring.conftest import ENVIRONMENT, Run, journals_in, n_kept, tables_in

VERDICT = f"\n{END_OF_THINKING}\n{VERDICT_MARKS[Kind.GORM]}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one, for a tiny model."""
    path = tmp_path_factory.mktemp("template") / "gORM.txt"
    path.write_text("{question} {solution}")
    return path


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "solutions.parquet"
    rows = [
        {
            "dataset": "data",
            "category": "law",
            "question_id": f"q{k // 4}",
            "solution_id": k % 4,
            "question": "?",
            "answer": "0",
            "steps": [str(k % 4)],
            "parsed_answer": str(k % 4),
            "outcome": int(k % 4 == 0),
            "step_labels": None,
        }
        for k in range(48)
    ]
    parquet.write(path, SOLUTIONS, rows, made_of())
    return path


@pytest.fixture(scope="module")
def verifier(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, taught to say Hm a few times and then, mostly, Yes or No: the likelier Yes, the less."""
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.add_tokens([VERDICT, " Hm"])
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    generator = np.random.default_rng(0)
    prompts = [encode_prompt(tokenizer, f"? {k}") for k in range(4)]
    verdict, hm, no, yes = (
        tokenizer.encode(text, add_special_tokens=False)[0]
        for text in (VERDICT, " Hm", " No", " Yes")
    )

    def text(solution: int) -> list[int]:
        said = yes if generator.random() < (0.95, 0.6, 0.1, 0.02)[solution] else no
        end = [verdict, said] if generator.random() < 0.9 else []
        hms = [hm] * int(generator.integers(1, 12))
        return [*prompts[solution], *hms, *end, tokenizer.eos_token_id]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(250):
        texts = [text(k % 4) for k in range(32)]
        longest = max(map(len, texts))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
        labels = torch.tensor([text + [-100] * (longest - len(text)) for text in texts])
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    folder = tmp_path_factory.mktemp("verifier")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


Command = Callable[..., list[str]]

# Enough for several batches; few enough for decisions in several rounds.
MANY, FEW = ("--samples", "100"), ("--samples", "12")


@pytest.fixture(scope="module")
def scoring(verifier: Path, solutions: Path, template: Path) -> Command:
    def command(folder: Path, *options: str) -> list[str]:
        return [
            *("score-generative", "--kind", "gORM", "--model", str(verifier), "--name", "gORM"),
            *("--engine", "transformers", "--solutions", str(solutions)),
            *("--output", str(folder / "r.parquet")),
            *("--output-critiques", str(folder / "c.parquet"), "--template", str(template)),
            *("--max-tokens", "20", "--temperature", "1", *(options or MANY)),
        ]

    return command


@pytest.fixture(scope="module")
def generating(verifier: Path, solutions: Path, template: Path) -> Command:
    def command(folder: Path) -> list[str]:
        return [
            *("generate-critiques", "--kind", "gORM", "--teacher", str(verifier)),
            *("--engine", "transformers", "--solutions", str(solutions)),
            *("--output", str(folder / "r.parquet"), "--template", str(template)),
            *("--per-solution", "200", "--max-tokens", "20"),
        ]

    return command


@pytest.fixture(scope="module")
def sampling(verifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    folder = tmp_path_factory.mktemp("asked")
    key = {"dataset": "data", "category": "law"}
    rows = [
        {**key, "question_id": f"q{k}", "question": f"? {k % 4}", "options": None, "answer": "0"}
        for k in range(48)
    ]
    parquet.write(folder / "questions.parquet", QUESTIONS, rows, made_of())
    (folder / "solve.txt").write_text("{question}")

    def command(out: Path) -> list[str]:
        return [
            *("sample-solutions", "--policy", str(verifier), "--engine", "transformers"),
            *("--questions", str(folder / "questions.parquet"), "--dataset", "new", "--shots", "0"),
            *("--output", str(out / "r.parquet"), "--output-samples", str(out / "c.parquet")),
            *("--open-template", str(folder / "solve.txt"), "--per-question", "200"),
            *("--max-tokens", "20"),
        ]

    return command


@pytest.mark.parametrize(
    ("job", "options", "kills"),
    [
        ("scoring", MANY, 12),
        ("scoring", (*FEW, "--adaptive", "0.05"), 12),
        ("generating", (), 6),
        ("sampling", (), 6),
    ],
)
def test_a_killed_job_goes_on_and_its_tables_are_those_of_an_undisturbed_one(
    tmp_path: Path,
    run: Run,
    request: pytest.FixtureRequest,
    job: str,
    options: tuple[str, ...],
    kills: int,
) -> None:
    command: Command = request.getfixturevalue(job)
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    code, lifetime = run(None, log, command(whole, *options))
    assert code == 0, log.read_text()
    expected = tables_in(whole)
    generator = np.random.default_rng(0)
    kept = []
    while True:
        # On a busy machine a life may end before it has finished anything: some more, then.
        more = len(kept) < kills or (not any(kept) and len(kept) < 10 * kills)
        seconds = generator.uniform(0, lifetime) if more else None
        code, _ = run(seconds, log, command(killed, *options))
        if code == -9:
            kept.append(n_kept(killed))
            continue
        assert code == 0, log.read_text()
        assert tables_in(killed) == expected
        assert journals_in(killed) == []
        if seconds is None:
            break
        # One life is over before the kills are: another one.
        for table in killed.glob("*.parquet"):
            table.unlink()
    assert len(kept) >= kills
    assert any(kept)


def test_the_command_itself_gives_the_same(tmp_path: Path, run: Run, scoring: Command) -> None:
    alone, forked = tmp_path / "alone", tmp_path / "forked"
    subprocess.run(
        [sys.executable, "-m", "multirm", *scoring(alone)],
        check=True,
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
    )
    assert run(None, tmp_path / "log", scoring(forked))[0] == 0
    assert tables_in(alone) == tables_in(forked)
    rewards = parquet.read(alone / "r.parquet", REWARDS)["rewards"].to_pylist()
    assert {len(row) for row in rewards} == {100}
    assert 0 < sum(reward is None for row in rewards for reward in row) < 1000


def test_adaptive_scores_are_fewer_and_the_same(tmp_path: Path, run: Run, scoring: Command) -> None:
    def rewards(*options: str) -> list[list[float | None]]:
        assert run(None, tmp_path / "log", scoring(tmp_path, *options))[0] == 0
        return parquet.read(tmp_path / "r.parquet", REWARDS)["rewards"].to_pylist()

    everything, fewer = rewards(*FEW), rewards(*FEW, "--adaptive", "0.05")
    assert len({len(row) for row in fewer}) > 1
    for some, all_of_them in zip(fewer, everything, strict=True):
        assert some == pytest.approx(all_of_them[: len(some)], abs=1e-5)


def test_a_full_disk_keeps_what_is_finished_for_the_next_attempt(
    tmp_path: Path, run: Run, scoring: Command
) -> None:
    whole, full, log = tmp_path / "whole", tmp_path / "full", tmp_path / "log"
    command = [sys.executable, "-m", "multirm", *scoring(full)]
    limited = subprocess.run(
        ["sh", "-c", 'ulimit -f 700 && exec "$@"', "sh", *command],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert limited.returncode == 2, limited.stderr
    last = limited.stderr.splitlines()[-1]
    assert last.startswith(f"multirm: {full}/.r.parquet.journal: expected room on the disk")
    assert "the job resumes" in last
    kept = n_kept(full)
    assert 0 < kept < 48
    assert tables_in(full) == {}
    assert run(None, log, scoring(full))[0] == 0
    assert f"resuming, {kept} already finished" in log.read_text()
    assert run(None, log, scoring(whole))[0] == 0
    assert tables_in(full) == tables_in(whole)


def test_what_another_seed_has_finished_is_not_taken_over(
    tmp_path: Path, run: Run, scoring: Command
) -> None:
    whole, begun, log = tmp_path / "whole", tmp_path / "begun", tmp_path / "log"
    seconds = 0.1
    while not n_kept(begun):
        run(seconds, log, scoring(begun))
        seconds += 0.1
    other = [*MANY, "--seed", "7"]
    assert run(None, log, scoring(begun, *other))[0] == 0
    assert "made with other inputs, settings or code; starting over" in log.read_text()
    assert run(None, log, scoring(whole, *other))[0] == 0
    assert tables_in(begun) == tables_in(whole)


def test_a_damaged_journal_is_named_in_one_line(tmp_path: Path, run: Run, scoring: Command) -> None:
    journal = tmp_path / ".r.parquet.journal"
    journal.write_bytes(b"\0garbage" * 1000)
    log = tmp_path / "log"
    assert run(None, log, scoring(tmp_path))[0] == 2
    last = log.read_text().splitlines()[-1]
    assert last.startswith(f"multirm: {journal}: expected a journal, found file is not a database")
    assert tables_in(tmp_path) == {}
