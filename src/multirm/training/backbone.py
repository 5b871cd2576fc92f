"""Entry point `pretrain_backbone`: a small decoder and its tokenizer, from scratch, in place of a download."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.learned_from import write_learned
from multirm.running.arguments import BackboneFolder, OutputFile, entry
from multirm.running.numbers import Count, Positive, Seed, Vocabulary, Width
from multirm.running.progress import Progress
from multirm.running.provenance import BACKBONE, origin_of, whole_model
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.critique_rows import with_solutions
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES
from multirm.text.encoding import STEP_END
from multirm.text.prompts import load_template, own_template
from multirm.training.pretraining_examples import (
    NO_LOSS,
    Lesson,
    critique_lessons,
    draw_batches,
    solution_lessons,
)
from multirm.training.tokenizer import train_tokenizer

logger = logging.getLogger(__name__)


@entry
def pretrain_backbone(
    solutions: list[Path],
    gorm_demonstrations: list[Path],
    gprm_demonstrations: list[Path],
    output: BackboneFolder,
    curve: OutputFile,
    layers: Count,
    width: Width,
    vocabulary: Vocabulary,
    tokens: Count,
    batch_tokens: Count,
    learning_rate: Positive,
    max_length: Count,
    seed: Seed,
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
    rows = parquet.read_all(solutions, SOLUTIONS).to_pylist()
    demonstrations = {}
    for kind, paths in ((Kind.GORM, gorm_demonstrations), (Kind.GPRM, gprm_demonstrations)):
        critiques = parquet.read_all(paths, CRITIQUES).to_pylist()
        demonstrations[kind] = with_solutions(critiques, rows, f"{kind} demonstrations")
    files = {
        Kind.GORM: gorm_template or own_template(Kind.GORM),
        Kind.GPRM: gprm_template or own_template(Kind.GPRM),
    }
    templates = {kind: load_template(file, kind) for kind, file in files.items()}
    texts = [row["question"] for row in rows]
    texts += [step + STEP_END for row in rows for step in row["steps"]]
    texts += [critique["critique"] for pairs in demonstrations.values() for critique, _ in pairs]
    words = [template.text for template in templates.values()]
    tokenizer = train_tokenizer(texts, words, vocabulary, max_length)
    lessons = solution_lessons(tokenizer, rows)
    for kind, pairs in demonstrations.items():
        lessons += critique_lessons(tokenizer, templates[kind], pairs)
    kept = [lesson for lesson in lessons if len(lesson.ids) <= max_length]
    logger.info("%d texts, %d left out as too long", len(lessons), len(lessons) - len(kept))
    if not kept:
        raise InputError(
            "max_length", expected="a text of at most so many tokens", found=str(max_length)
        )
    model = build_decoder(tokenizer, layers, width, max_length, seed)
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
    inputs = [*solutions, *gorm_demonstrations, *gprm_demonstrations, *files.values()]
    # Beforehand: meanwhile somebody may edit the code.
    origin = origin_of(__name__, parameters, inputs)
    points = train(model, kept, tokens, batch_tokens, learning_rate, seed)
    with whole_model(output, BACKBONE, origin) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        write_learned(part, (row["question"] for row in rows))
    curve_rows = [{"model": name, **point} for point in points]
    parquet.write(curve, CURVES, curve_rows, origin)


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


def train(
    model: LlamaForCausalLM,
    lessons: Sequence[Lesson],
    tokens: int,
    batch_tokens: int,
    learning_rate: float,
    seed: int,
) -> list[dict[str, float]]:
    """Train `model` until it has seen `tokens` tokens; a point of the curve per twentieth of the way.

    The learning rate rises for a twentieth of the way and falls linearly. An epoch of the curve is as
    many tokens as the lessons have.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    total = sum(len(lesson.ids) for lesson in lessons)
    losses: list[float] = []
    points: list[dict[str, float]] = []
    model.train()
    batches = draw_batches(lessons, tokens, batch_tokens, seed)
    with Progress("trained on", "tokens", tokens) as progress:
        for step, (share, batch) in enumerate(batches, start=1):
            rate = learning_rate * min(share * 20 + 0.02, (1 - share) / 0.95, 1)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses.append(_train_batch(model, batch, optimizer))
            read = sum(len(lesson.ids) for lesson in batch)
            after = share + read / tokens
            if after >= (len(points) + 1) / 20:
                loss = math.fsum(losses) / len(losses)
                epoch = after * tokens / total
                points.append({"step": step, "epoch": epoch, "loss": loss, "learning_rate": rate})
                losses = []
            progress.add(read)
    model.eval()
    return points


def _train_batch(
    model: LlamaForCausalLM, batch: Sequence[Lesson], optimizer: torch.optim.Optimizer
) -> float:
    """One update. Texts of like length are padded on the right, where causal attention never looks, so
    nothing is masked; the vocabulary's logits are computed only where there is a loss.
    """
    length = max(len(lesson.ids) for lesson in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    targets = torch.full((len(batch), length), NO_LOSS)
    weights = torch.zeros(len(batch), length)
    for i, lesson in enumerate(batch):
        ids[i, : len(lesson.ids)] = torch.tensor(lesson.ids)
        targets[i, : len(lesson.ids)] = torch.tensor(lesson.targets)
        weights[i, : len(lesson.ids)] = torch.tensor(lesson.weights)
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
