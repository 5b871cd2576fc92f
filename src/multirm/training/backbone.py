"""Entry point `pretrain_backbone`: train a small decoder and its tokenizer from scratch, instead of a download."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from cyclopts import Parameter
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from multirm.errors import InputError
from multirm.models.learned_from import write_learned
from multirm.running.arguments import BackboneFolder, OutputFile, entry
from multirm.running.numbers import Count, Positive, Seed, Vocabulary, Width
from multirm.running.provenance import BACKBONE, origin_of, whole_model
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.conversations import CONVERSATIONS
from multirm.tables.critique_rows import with_solutions
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES
from multirm.text.encoding import STEP_END
from multirm.text.prompts import Template, load_template, own_template
from multirm.training.checkpoints import open_checkpoint
from multirm.training.examples import UNLABELLED
from multirm.training.loop import Learner, train
from multirm.training.pretraining_examples import (
    PretrainingExample,
    examples_of_conversations,
    examples_of_critiques,
    examples_of_solutions,
    pretraining_steps,
)
from multirm.training.tokenizer import shared_lines, train_tokenizer

logger = logging.getLogger(__name__)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PretrainingRecipe:
    """The size of a decoder, and how it is trained.

    Attributes:
        layers: number of decoder layers.
        width: hidden size, a multiple of 32.
        vocabulary: maximum vocabulary size.
        tokens: number of tokens to train on, repetitions included: the budget of the run.
        batch_tokens: maximum number of tokens in a batch, padding included.
        learning_rate: peak learning rate.
        max_length: longer texts, in tokens, are left out and counted in the log.
        seed: seed of the study.
    """

    layers: Count
    width: Width
    vocabulary: Vocabulary
    tokens: Count
    batch_tokens: Count
    learning_rate: Positive
    max_length: Count
    seed: Seed


@entry
def pretrain_backbone(
    solutions: list[Path],
    gorm_demonstrations: list[Path],
    gprm_demonstrations: list[Path],
    output: BackboneFolder,
    curve: OutputFile,
    recipe: PretrainingRecipe,
    name: str,
    gorm_template: Path | None = None,
    gprm_template: Path | None = None,
    conversations: list[Path] | None = None,
) -> None:
    """Train a tokenizer and a small decoder from scratch on solutions and demonstrated critiques.

    Args:
        solutions: solutions tables; step labels, where known, are learned at the step ends. The solutions of one
            dataset and category join the run together, in the order given.
        gorm_demonstrations: critiques tables in the gORM format, of those solutions.
        gprm_demonstrations: critiques tables in the gPRM format, of those solutions.
        output: folder for the model (safetensors) and its tokenizer.
        curve: curves table.
        recipe: the decoder's size and training settings.
        name: name of the backbone in the curves table.
        gorm_template: prompt template for gORM critiques; by default, the package's own.
        gprm_template: likewise for gPRM critiques.
        conversations: conversations tables about those solutions, whose replies are learned.
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
    talks = parquet.read_all(conversations or [], CONVERSATIONS).to_pylist()
    with_solutions(talks, rows, "conversations")
    tokenizer, kept = tokenizer_and_examples(
        rows, demonstrations, templates, recipe.vocabulary, recipe.max_length, talks
    )
    model = build_decoder(tokenizer, recipe.layers, recipe.width, recipe.max_length, recipe.seed)
    inputs = [*solutions, *gorm_demonstrations, *gprm_demonstrations, *files.values()]
    inputs += conversations or []
    # Before training, because the code may be edited during it.
    origin = origin_of(__name__, {**asdict(recipe), "name": name}, inputs)
    optimizer = AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    steps = pretraining_steps(
        kept, recipe.tokens, recipe.batch_tokens, recipe.learning_rate, recipe.seed
    )
    with open_checkpoint(output, origin) as checkpoint:
        points = train(name, Learner(model, pretraining_loss), optimizer, steps, checkpoint)
        with whole_model(output, BACKBONE, origin) as part:
            model.save_pretrained(part)
            tokenizer.save_pretrained(part)
            write_learned(part, (row["question"] for row in rows))
        parquet.write(curve, CURVES, points, origin)


def tokenizer_and_examples(
    solutions: Sequence[Row],
    demonstrations: Mapping[Kind, Sequence[tuple[Row, Row]]],
    templates: Mapping[Kind, Template],
    vocabulary: int,
    max_length: int,
    conversations: Sequence[Row] = (),
) -> tuple[PreTrainedTokenizerBase, list[PretrainingExample]]:
    """A tokenizer trained on all texts, and the texts of at most `max_length` tokens as examples.

    Args:
        demonstrations: of each kind, critiques and the solutions they are about.
        conversations: rows of a conversations table.

    Raises:
        InputError: all texts are longer.
    """
    texts = [row["question"] for row in solutions]
    texts += [step + STEP_END for row in solutions for step in row["steps"]]
    texts += [critique["critique"] for pairs in demonstrations.values() for critique, _ in pairs]
    texts += [row["reply"] for row in conversations]
    words = [template.text for template in templates.values()]
    words += shared_lines(conversations)
    tokenizer = train_tokenizer(texts, words, vocabulary, max_length)
    examples = examples_of_solutions(tokenizer, solutions)
    for kind, pairs in demonstrations.items():
        examples += examples_of_critiques(tokenizer, templates[kind], pairs)
    examples += examples_of_conversations(tokenizer, conversations)
    kept = [example for example in examples if len(example.ids) <= max_length]
    logger.info("%d texts, %d left out as too long", len(examples), len(examples) - len(kept))
    if not kept:
        raise InputError(
            "max_length",
            expected="at least one text of at most that many tokens",
            found=str(max_length),
        )
    return tokenizer, kept


def build_decoder(
    tokenizer: PreTrainedTokenizerBase, layers: int, width: int, max_length: int, seed: int
) -> LlamaForCausalLM:
    """A Llama decoder with random weights, head size 32, and tied embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        # The usual 0.02 suits wide models; a narrow one would spend most of its training growing its weights.
        initializer_range=width**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(item_seed(seed, "decoder") % 2**63)
        return LlamaForCausalLM(config)


def pretraining_loss(model: PreTrainedModel, examples: Sequence[PretrainingExample]) -> Tensor:
    """The weighted cross-entropy at all labelled positions, summed; a scalar.

    Texts are padded on the right, where causal attention never looks, so no mask is needed.
    """
    shape = len(examples), max(example.n_tokens for example in examples)
    ids = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, UNLABELLED)
    weights = torch.zeros(shape)
    for row, example in enumerate(examples):
        ids[row, : example.n_tokens] = torch.tensor(example.ids)
        labels[row, : example.n_tokens] = torch.tensor(example.labels)
        weights[row, : example.n_tokens] = torch.tensor(example.weights)
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    labelled = labels != UNLABELLED
    logits = model.get_output_embeddings()(hidden[labelled])
    losses = functional.cross_entropy(logits, labels[labelled], reduction="none")
    return (losses * weights[labelled]).sum()
