"""Entry point `pretrain_backbone`: a small decoder and its tokenizer, from scratch, in place of a download.

It learns from solutions, in the discriminative format, and from demonstrated critiques, in the two
generative formats, so that fine-tuning meets nothing that it has not seen the like of.
"""

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from multirm import tables
from multirm.encoding import encode_critique, encode_solution, step_candidates, verdict_candidates
from multirm.errors import InputError
from multirm.files import whole
from multirm.labels import after_first_error
from multirm.prompts import load_template, render_prompt
from multirm.randomness import item_generator, item_seed
from multirm.training.tokenizer import train_tokenizer
from multirm.vocabulary import Kind

logger = logging.getLogger(__name__)

NO_LOSS = -100
_SECONDS_BETWEEN_REPORTS = 10

# Token ids, and for each the id to be predicted after it, or NO_LOSS.
Example = tuple[list[int], list[int]]


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
        solutions: solutions tables; step labels, where known, are learned at the step ends.
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
    prompts = _prompts(rows, demonstrations, templates)
    texts = [text for row in rows for text in (row["question"], *row["steps"])]
    texts += templates.values()
    texts += [critique for pairs in prompts.values() for _, critique in pairs]
    tokenizer = train_tokenizer(texts, vocabulary, max_length)
    examples = _examples(tokenizer, rows, [pair for pairs in prompts.values() for pair in pairs])
    kept = [example for example in examples if len(example[0]) <= max_length]
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


def _prompts(
    rows: Sequence[dict[str, Any]],
    demonstrations: dict[Kind, list[dict[str, Any]]],
    templates: dict[Kind, str],
) -> dict[Kind, list[tuple[str, str]]]:
    """Each demonstration with the prompt that asks for it.

    The prompt shows all steps, also to gPRM: where it stopped at the first incorrect step, a missing
    answer would give the verdict away, and the model would learn to look for that instead.
    """
    by_key = {tuple(row[name] for name in tables.SOLUTIONS.key): row for row in rows}
    prompts: dict[Kind, list[tuple[str, str]]] = {}
    for kind, critiques in demonstrations.items():
        prompts[kind] = []
        for critique in critiques:
            row = by_key.get(tuple(critique[name] for name in tables.SOLUTIONS.key))
            if row is None:
                raise InputError(
                    f"{kind} demonstrations",
                    expected="critiques of the given solutions",
                    found=f"one of {critique['question_id']}, {critique['solution_id']}",
                    remedy="give the solutions table that they were made from",
                )
            prompt = render_prompt(templates[kind], kind, row["question"], row["steps"])
            prompts[kind].append((prompt, critique["critique"]))
    return prompts


def _examples(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    prompts: Sequence[tuple[str, str]],
) -> list[Example]:
    examples = []
    candidates = step_candidates(tokenizer)
    verdict_candidates(tokenizer)
    for row in rows:
        encoded = encode_solution(tokenizer, row["question"], row["steps"])
        targets = [*encoded.ids[1:], NO_LOSS]
        labels = row["step_labels"]
        for k, end in enumerate(encoded.step_ends):
            targets[end] = NO_LOSS if labels is None else candidates[after_first_error(labels)[k]]
        examples.append((encoded.ids, targets))
    for prompt, text in prompts:
        critique = encode_critique(tokenizer, prompt, text)
        start = critique.n_prompt - 1
        examples.append((critique.ids, [NO_LOSS] * start + critique.ids[start + 1 :] + [NO_LOSS]))
    return examples


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


def train(
    model: LlamaForCausalLM,
    examples: Sequence[Example],
    tokens: int,
    batch_tokens: int,
    learning_rate: float,
    seed: int,
) -> list[dict[str, float]]:
    """Train `model` until it has seen `tokens` tokens; a point of the curve per twentieth of the way.

    Batches hold texts of like length, padded on the right: causal attention never looks at padding,
    so none has to be masked. The learning rate rises for a twentieth of the way and falls linearly.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    lengths = [len(ids) for ids, _ in examples]
    seen = epoch = step = reported = 0
    losses: list[float] = []
    points: list[dict[str, float]] = []
    started = time.monotonic()
    model.train()
    while seen < tokens:
        for batch in make_batches(lengths, batch_tokens, item_generator(seed, "batches", epoch)):
            share = seen / tokens
            rate = learning_rate * min(share * 20 + 0.02, (1 - share) / 0.95, 1)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses.append(_train_batch(model, [examples[i] for i in batch], optimizer))
            step += 1
            seen += sum(lengths[i] for i in batch)
            if seen >= tokens * (len(points) + 1) / 20:
                points.append(
                    {
                        "step": step,
                        "epoch": seen / sum(lengths),
                        "loss": math.fsum(losses) / len(losses),
                        "learning_rate": rate,
                    }
                )
                losses = []
            if time.monotonic() - started > (reported + 1) * _SECONDS_BETWEEN_REPORTS:
                reported += 1
                logger.info(
                    "%d of %d tokens, loss %.3f",
                    seen,
                    tokens,
                    losses[-1] if losses else points[-1]["loss"],
                )
            if seen >= tokens:
                break
        epoch += 1
    model.eval()
    return points


def _train_batch(
    model: LlamaForCausalLM, batch: Sequence[Example], optimizer: torch.optim.Optimizer
) -> float:
    """One update; the vocabulary's logits are computed only where there is a loss."""
    length = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    targets = torch.full((len(batch), length), NO_LOSS)
    for i, (row, target) in enumerate(batch):
        ids[i, : len(row)] = torch.tensor(row)
        targets[i, : len(row)] = torch.tensor(target)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    learned = targets != NO_LOSS
    loss = functional.cross_entropy(model.lm_head(hidden[learned]), targets[learned])
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())
