"""Entry point `pretrain_backbone`: a small decoder and its tokenizer, from scratch, in place of a download.

It learns from solutions, in the discriminative format, and from demonstrated critiques, in the two
generative formats, so that fine-tuning meets nothing that it has not seen the like of.
"""

import logging
import math
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from multirm import tables
from multirm.encoding import STEP_END, encode_critique, encode_solution, step_candidates
from multirm.errors import InputError
from multirm.files import whole
from multirm.prompts import load_template, render_prompt
from multirm.randomness import item_generator, item_seed
from multirm.training.tokenizer import train_tokenizer
from multirm.vocabulary import Kind

logger = logging.getLogger(__name__)

NO_LOSS = -100
_SECONDS_BETWEEN_REPORTS = 10

# Comparing what is said with what is known takes off soon on few facts and late on many. So the groups
# of solutions join one by one over the first part of the training, the first staying alone the longest,
# and critiques join once all are there.
CURRICULUM = 0.4
# Of marks and critiques in the loss, which say whether something is right, against 1 for other text.
JUDGEMENT_WEIGHT = 3.0


@dataclass(frozen=True)
class Example:
    """A text to learn.

    Attributes:
        ids: its tokens.
        targets: for each token the one to be predicted after it, or NO_LOSS.
        weights: for each token the weight of that prediction in the loss.
        joins: the share of the training, in [0, 1), from which on it is shown.
    """

    ids: list[int]
    targets: list[int]
    weights: list[float]
    joins: float


def pretrain_backbone(
    solutions: list[Path],
    gorm_demonstrations: list[Path],
    gprm_demonstrations: list[Path],
    output: Path,
    curve: Path,
    layers: int,
    width: int,
    vocabulary: int,
    tokens: int,
    batch_tokens: int,
    learning_rate: float,
    max_length: int,
    seed: int,
    name: str,
    gorm_template: Path | None = None,
    gprm_template: Path | None = None,
) -> None:
    """Train a tokenizer and a small decoder from scratch on solutions and demonstrated critiques.

    Args:
        solutions: solutions tables; step labels, where known, are learned at the step ends. Those of one
            dataset and category join the training together, in the order given.
        gorm_demonstrations: critiques tables in the gORM format, of those solutions.
        gprm_demonstrations: critiques tables in the gPRM format, of those solutions.
        output: folder for the model (safetensors) and its tokenizer.
        curve: curves table.
        layers: number of decoder layers.
        width: width of the hidden states, a multiple of 32.
        vocabulary: number of tokens that the tokenizer may have.
        tokens: number of tokens to train on, with repetition: the budget of the whole training.
        batch_tokens: number of tokens in a batch, padding included, at most.
        learning_rate: at its peak.
        max_length: texts of more tokens are left out, and counted in the log.
        seed: seed of the study.
        name: name of the backbone in the curves table.
        gorm_template: prompt template before gORM critiques; the package's own where none is given.
        gprm_template: likewise before gPRM critiques.
    """
    rows = tables.read_all(solutions, tables.SOLUTIONS).to_pylist()
    demonstrations = {
        kind: tables.read_all(paths, tables.CRITIQUES).to_pylist()
        for kind, paths in ((Kind.GORM, gorm_demonstrations), (Kind.GPRM, gprm_demonstrations))
    }
    inputs = [*solutions, *gorm_demonstrations, *gprm_demonstrations]
    inputs += [template for template in (gorm_template, gprm_template) if template]
    if not rows:
        raise InputError(
            ", ".join(map(str, solutions)), expected="at least one solution", found="none"
        )
    templates = {
        Kind.GORM: load_template(Kind.GORM, gorm_template),
        Kind.GPRM: load_template(Kind.GPRM, gprm_template),
    }
    shown = [
        demonstration
        for kind, critiques in demonstrations.items()
        for demonstration in _demonstrations(rows, kind, critiques, templates[kind])
    ]
    texts = [row["question"] for row in rows]
    texts += [step + STEP_END for row in rows for step in row["steps"]]
    texts += [demonstration.critique for demonstration in shown]
    tokenizer = train_tokenizer(texts, list(templates.values()), vocabulary, max_length)
    examples = [
        *_solution_examples(tokenizer, rows),
        *(_critique_example(tokenizer, demonstration) for demonstration in shown),
    ]
    kept = [example for example in examples if len(example.ids) <= max_length]
    logger.info("%d texts, %d left out as too long", len(examples), len(examples) - len(kept))
    if not kept:
        raise InputError(
            "max_length", expected="a text of at most so many tokens", found=str(max_length)
        )
    model = build_decoder(tokenizer, layers, width, max_length, seed)
    points = train(model, kept, tokens, batch_tokens, learning_rate, seed)
    with whole(output) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    parameters = {
        "layers": layers,
        "width": width,
        "vocabulary": vocabulary,
        "tokens": tokens,
        "batch_tokens": batch_tokens,
        "learning_rate": learning_rate,
        "max_length": max_length,
        "seed": seed,
        "name": name,
    }
    curve_rows = [{"model": name, **point} for point in points]
    tables.write(curve, tables.CURVES, curve_rows, parameters=parameters, inputs=inputs)


@dataclass(frozen=True)
class _Demonstration:
    """A critique, the solution that it is about, and the prompt that asks for it.

    The prompt shows all steps, also to gPRM: where it stopped at the first incorrect step, a missing
    answer would give the verdict away, and the model would learn to look for that instead.
    """

    prompt: str
    row: dict[str, Any]
    critique: str


def _demonstrations(
    rows: Sequence[dict[str, Any]], kind: Kind, critiques: Sequence[dict[str, Any]], template: str
) -> list[_Demonstration]:
    by_key = {tuple(row[name] for name in tables.SOLUTIONS.key): row for row in rows}
    found = []
    for critique in critiques:
        row = by_key.get(tuple(critique[name] for name in tables.SOLUTIONS.key))
        if row is None:
            raise InputError(
                f"{kind} demonstrations",
                expected="critiques of the given solutions",
                found=f"one of {critique['question_id']}, {critique['solution_id']}",
                remedy="give the solutions table that they were made from",
            )
        prompt = render_prompt(template, kind, row["question"], row["steps"])
        found.append(_Demonstration(prompt, row, critique["critique"]))
    return found


def _solution_examples(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, Any]]
) -> list[Example]:
    """Solutions in the discriminative format: steps are continued, known step ends are marked + or -.

    Questions carry no loss: nobody can foresee them. Solutions of one dataset and category join the
    training together, one group after the other.
    """
    groups = list(dict.fromkeys(_group(row) for row in rows))
    examples = []
    for row in rows:
        encoded = encode_solution(tokenizer, row["question"], row["steps"])
        asked = len(encode_solution(tokenizer, row["question"], []).ids)
        targets = [NO_LOSS] * (asked - 1) + encoded.ids[asked:] + [NO_LOSS]
        weights = [1.0] * len(targets)
        _mark_steps(tokenizer, targets, weights, encoded.step_ends, row["step_labels"])
        joins = CURRICULUM * math.sqrt(groups.index(_group(row)) / len(groups))
        examples.append(Example(encoded.ids, targets, weights, joins))
    return examples


def _group(row: dict[str, Any]) -> tuple[str, str]:
    return row["dataset"], row["category"]


def _critique_example(tokenizer: PreTrainedTokenizerBase, shown: _Demonstration) -> Example:
    """A critique to be written after its prompt, in which the step ends are marked + or - as well.

    So the step ends of a prompt come to say what those of a solution say, and the critique has only
    to read it there.
    """
    encoded = encode_critique(tokenizer, shown.prompt, shown.critique)
    completion = encoded.ids[encoded.n_prompt :]
    targets = [NO_LOSS] * (encoded.n_prompt - 1) + completion + [NO_LOSS]
    weights = [JUDGEMENT_WEIGHT] * len(targets)
    ends = _step_ends(tokenizer, encoded.ids[: encoded.n_prompt], shown.row)
    _mark_steps(tokenizer, targets, weights, ends, shown.row["step_labels"])
    return Example(encoded.ids, targets, weights, CURRICULUM)


def _mark_steps(
    tokenizer: PreTrainedTokenizerBase,
    targets: list[int],
    weights: list[float],
    ends: Sequence[int],
    labels: Sequence[int] | None,
) -> None:
    """Make + or - the target at each step end, or nothing where the labels are not known."""
    candidates = step_candidates(tokenizer)
    marks = [NO_LOSS] * len(ends) if labels is None else [candidates[label] for label in labels]
    for end, mark in zip(ends, marks, strict=True):
        targets[end] = mark
        weights[end] = JUDGEMENT_WEIGHT


def _step_ends(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], row: dict[str, Any]
) -> list[int]:
    """The place in a prompt of the token in which each step ends."""
    text = tokenizer.decode(prompt)
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    starts = [start for start, _ in spans]
    place = text.index(row["question"]) + len(row["question"])
    ends = []
    for step in row["steps"]:
        place = text.index(step, place) + len(step)
        ends.append(bisect_left(starts, place) - 1)
    return ends


def build_decoder(
    tokenizer: PreTrainedTokenizerBase, layers: int, width: int, max_length: int, seed: int
) -> LlamaForCausalLM:
    """A Llama decoder with random weights, heads of 32, and input and output embeddings in one."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        # The usual 0.02 is for wide models; a narrow one would take most of its training to leave it.
        initializer_range=width**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(item_seed(seed, "decoder") % 2**63)
        return LlamaForCausalLM(config)


def make_batches(
    lengths: Sequence[int], batch_tokens: int, rng: np.random.Generator
) -> list[list[int]]:
    """Positions of all examples, once each, in batches of like length and in random order."""
    order = sorted(rng.permutation(len(lengths)).tolist(), key=lambda i: lengths[i])
    batches: list[list[int]] = [[]]
    for i in order:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > batch_tokens:
            batches.append([])
        batches[-1].append(i)
    return [batches[i] for i in rng.permutation(len(batches))]


def draw_batches(
    examples: Sequence[Example], tokens: int, batch_tokens: int, seed: int
) -> Iterator[tuple[float, list[Example]]]:
    """Batches until `tokens` tokens have been drawn, each with the share of them that went before it.

    Passes over the examples that have joined follow each other; a pass is cut short when others join.
    """
    joining = sorted({example.joins for example in examples})
    seen = passes = 0
    while seen < tokens:
        share = max(seen / tokens, joining[0])
        joined = [example for example in examples if example.joins <= share]
        until = min((other for other in joining if other > share), default=1.0) * tokens
        lengths = [len(example.ids) for example in joined]
        rng = item_generator(seed, "batches", passes)
        for batch in make_batches(lengths, batch_tokens, rng):
            yield seen / tokens, [joined[i] for i in batch]
            seen += sum(lengths[i] for i in batch)
            if seen >= until:
                break
        passes += 1


def train(
    model: LlamaForCausalLM,
    examples: Sequence[Example],
    tokens: int,
    batch_tokens: int,
    learning_rate: float,
    seed: int,
) -> list[dict[str, float]]:
    """Train `model` until it has seen `tokens` tokens; a point of the curve per twentieth of the way.

    The learning rate rises for a twentieth of the way and falls linearly. An epoch of the curve is as
    many tokens as the examples have.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    total = sum(len(example.ids) for example in examples)
    losses: list[float] = []
    points: list[dict[str, float]] = []
    started = time.monotonic()
    reports = 0
    model.train()
    for step, (share, batch) in enumerate(draw_batches(examples, tokens, batch_tokens, seed), 1):
        rate = learning_rate * min(share * 20 + 0.02, (1 - share) / 0.95, 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses.append(_train_batch(model, batch, optimizer))
        after = share + sum(len(example.ids) for example in batch) / tokens
        if after >= (len(points) + 1) / 20:
            loss = math.fsum(losses) / len(losses)
            epoch = after * tokens / total
            points.append({"step": step, "epoch": epoch, "loss": loss, "learning_rate": rate})
            losses = []
        if time.monotonic() - started > (reports + 1) * _SECONDS_BETWEEN_REPORTS:
            reports += 1
            logger.info("%.0f %% of %d tokens", 100 * after, tokens)
    model.eval()
    return points


def _train_batch(
    model: LlamaForCausalLM, batch: Sequence[Example], optimizer: torch.optim.Optimizer
) -> float:
    """One update. Texts of like length are padded on the right, where causal attention never looks, so
    nothing is masked; the vocabulary's logits are computed only where there is a loss.
    """
    length = max(len(example.ids) for example in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    targets = torch.full((len(batch), length), NO_LOSS)
    weights = torch.zeros(len(batch), length)
    for i, example in enumerate(batch):
        ids[i, : len(example.ids)] = torch.tensor(example.ids)
        targets[i, : len(example.ids)] = torch.tensor(example.targets)
        weights[i, : len(example.ids)] = torch.tensor(example.weights)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    learned = targets != NO_LOSS
    losses = functional.cross_entropy(
        model.lm_head(hidden[learned]), targets[learned], reduction="none"
    )
    loss = (losses * weights[learned]).sum() / weights[learned].sum()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())
