"""The formats of models that write their verdicts, on a small random model that writes some, and their references.

A reference writes the prompt as the model's authors describe it, lets transformers generate the reply, greedily, and
searches it for the verdict, token by token.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from multirm.engines.name import EngineName
from multirm.generation.options import GenerationOptions
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import format_file
from multirm.scoring.generative import score_generative
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.conftest import byte_level_tokenizer
from tests.origins import made_of

SAMPLES, LENGTH = 2, 40
END_OF_THINKING = "</think>"
LINES = {
    FormatName.THINK_PRM: "Is the solution correct?",
    FormatName.R_PRM: "Verification: Is the step correct (Yes/No)?",
}

TO_SCORE = [
    Solution(f"What is {k} + {n}?", steps[: 1 + (k + n) % 3], key=("q", n, k))
    for k in range(4)
    for n, steps in enumerate(
        [
            (f"First, {k} is even.", "So it is more.", f"The answer is {k}."),
            ("{question} {step}", "No: 2 + 3 = 5.", "{previous} The answer is 5."),
            ("Yes.", " It is  ", "(C)"),
        ]
    )
]

Reference = Callable[[Path, Solution], list[float | None]]


@dataclass(frozen=True)
class Case:
    """A format and the expected rewards of a solution by the model in a folder."""

    format: FormatName
    reference: Reference


def make(case: Case, folder: Path) -> None:
    """A model whose vocabulary has the whole verdict line, and which prefers it, verdicts, and the end of thinking."""
    tokenizer = byte_level_tokenizer(["The answer is (C).", "Step 1: So it is."])
    tokenizer.add_tokens([LINES[case.format]])
    set_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=1024,
            eos_token_id=tokenizer.eos_token_id,
            initializer_range=0.3,
        )
    )
    line, end, yes, no, word = (
        tokenizer.encode(text, add_special_tokens=False)[0]
        for text in (LINES[case.format], END_OF_THINKING, " Yes", " No", "er")
    )
    with torch.no_grad():
        weights, states = model.lm_head.weight, model.model.embed_tokens.weight
        weights[[end, word]] *= 2.5
        # The line follows the end of thinking, and the verdict the line, though not always; which one is unsure.
        weights[line] += 2 * states[end]
        weights[yes] += 2 * states[line]
        weights[no] = weights[yes] + weights[no] / 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@cache
def plain(folder: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """The model in a folder and its tokenizer, as transformers loads them."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return AutoTokenizer.from_pretrained(folder), model


def probability(folder: Path, prompt: str, line: str, thinks: bool) -> float | None:
    """P(Yes) / (P(No) + P(Yes)) at the last verdict in the reply to a user turn; None without one."""
    tokenizer, model = plain(folder)
    [no], [yes] = (tokenizer.encode(word, add_special_tokens=False) for word in (" No", " Yes"))
    turn = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    text += "<think>\nLet's verify step by step:" if thinks else ""
    asked = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    [whole] = model.generate(
        asked,
        attention_mask=torch.ones_like(asked),
        do_sample=False,
        max_new_tokens=LENGTH,
        pad_token_id=tokenizer.pad_token_id,
    )
    found = None
    for place in range(asked.shape[1], len(whole)):
        said = tokenizer.decode(whole[asked.shape[1] : place])
        rest = tokenizer.decode(whole[place + 1 :])
        is_verdict = whole[place] in (no, yes) and said.endswith(line) and not rest[:1].isalnum()
        if is_verdict and (END_OF_THINKING in said or not thinks):
            with torch.no_grad():
                logits = model(whole[None, :place]).logits[0, -1]
            found = logits[[no, yes]].softmax(-1)[1].item()
    return found


def think_prm(folder: Path, solution: Solution) -> list[float | None]:
    """One critique of all steps; greedy samples are the same."""
    _, _, words = format_file(FormatName.THINK_PRM).read_text().split("+++\n")
    steps = "\n".join(f"Step {n}: {step}" for n, step in enumerate(solution.steps, start=1))
    before, between, after = words.replace("{solution}", "{question}").split("{question}")
    prompt = before + solution.question + between + steps + after
    return [probability(folder, prompt, LINES[FormatName.THINK_PRM], thinks=True)] * SAMPLES


def r_prm(folder: Path, solution: Solution) -> list[float | None]:
    """One analysis of each step, with the steps before it; the mean of equal samples is their reward."""
    words = format_file(FormatName.R_PRM).read_text().strip()
    first, second, third, last = (
        words.replace("{previous}", "{question}")
        .replace("{step}", "{question}")
        .split("{question}")
    )
    numbered = [f"Step {n}: {step.strip()}" for n, step in enumerate(solution.steps, start=1)]
    rewards = []
    for number, step in enumerate(numbered):
        previous = "\n".join(numbered[:number]) if number else "None"
        prompt = first + solution.question + second + previous + third + step + last
        rewards.append(probability(folder, prompt, LINES[FormatName.R_PRM], thinks=False))
    return rewards


CASES = [Case(FormatName.THINK_PRM, think_prm), Case(FormatName.R_PRM, r_prm)]


def scored(case: Case, model: Path, folder: Path) -> list[list[float | None]]:
    """The rewards of each solution in the table that the command writes into a folder."""
    solutions, output, critiques = (folder / f"{name}.parquet" for name in ("s", "r", "c"))
    rows = [
        {
            "dataset": "d",
            "category": "law",
            "question_id": f"q{k:02}",
            "solution_id": 0,
            "question": each.question,
            "answer": "5",
            "steps": [*each.steps],
            "parsed_answer": None,
            "outcome": 0,
            "step_labels": None,
        }
        for k, each in enumerate(TO_SCORE)
    ]
    parquet.write(solutions, SOLUTIONS, rows, made_of())
    options = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=LENGTH, temperature=0.0)
    score_generative(
        Kind.GPRM,
        str(model),
        "X",
        solutions,
        output,
        critiques,
        options,
        samples=SAMPLES,
        format=case.format,
    )
    return [row["rewards"] for row in parquet.read(output, REWARDS).to_pylist()]
