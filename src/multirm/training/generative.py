"""Train gORM or gPRM, language models that write a critique ending in a verdict."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.running.arguments import AdapterFolder, OutputFile, Place, entry
from multirm.running.numbers import Count
from multirm.tables import parquet
from multirm.tables.critique_rows import require_critiques, require_generative, with_solutions
from multirm.tables.critiques import CRITIQUES, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.chat import date_told
from multirm.text.encoding import encode_critique, verdict_candidates
from multirm.text.prompts import Template, learned_prompt, load_template, own_template
from multirm.training.examples import UNLABELLED, Example, Tally
from multirm.training.fine_tuning import train_reward_model
from multirm.training.networks import LanguageModel
from multirm.training.objectives import prediction
from multirm.training.processes import share_batch
from multirm.training.recipe import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GenerativeRecipe(Recipe):
    """Training settings of gORM and gPRM; the defaults are Multi-RM's (arXiv 2510.00492)."""

    schedule = "linear"
    max_length: Count = 8192
    rank: Count = 32
    alpha: Count = 16


RECIPE = GenerativeRecipe()


@entry
def train_generative(
    kind: Kind,
    name: str,
    backbone: Place,
    solutions: list[Path],
    critiques: list[Path],
    output: AdapterFolder,
    curve: OutputFile,
    examples: OutputFile,
    template: Path | None = None,
    recipe: GenerativeRecipe = RECIPE,
) -> None:
    """Train a generative reward model on the kept critiques: a LoRA adapter on a backbone.

    The loss is on the critiques and their end-of-sequence tokens only, not on the prompts.

    Args:
        kind: gORM or gPRM.
        name: name of the reward model in the tables.
        backbone: model folder or hub name.
        solutions: tables of the solutions that the critiques are about.
        critiques: tables of filtered critiques.
        output: folder for the adapter and its tokenizer.
        curve: table of loss and learning rate.
        examples: table with the numbers of critiques per category that were used or left out.
        template: prompt template; by default, the package's own.
        recipe: training settings.
    """
    require_generative(kind)
    for path in critiques:
        require_critiques(path, kind, CritiqueStage.FILTERED, CritiqueStage.SHORTENED)
    share_batch(recipe.batch_size, recipe.device_batch_size)
    source = ", ".join(map(str, critiques))
    rows = [row for row in parquet.read_all(critiques, CRITIQUES).to_pylist() if row["kept"]]
    if not rows:
        raise InputError(
            source,
            expected="at least one kept critique",
            found="none",
            remedy="the reasons are in column `reason`; a better teacher or more solutions may help",
        )
    verified = parquet.read_all(solutions, SOLUTIONS).to_pylist()
    template = template or own_template(kind)
    tokenizer = load_tokenizer(backbone)
    verdict_candidates(tokenizer)
    pairs = with_solutions(rows, verified, source)
    learned, tally = critique_examples(
        kind, tokenizer, load_template(template, kind), pairs, recipe.max_length
    )
    train_reward_model(
        prediction(),
        learned,
        tally,
        recipe,
        network=LanguageModel(backbone),
        name=name,
        tokenizer=tokenizer,
        questions=(solution["question"] for _, solution in pairs),
        made_by=__name__,
        inputs=[*solutions, *critiques, template],
        extra_parameters={"kind": str(kind), **date_told(tokenizer)},
        output=output,
        curve=curve,
        counts=examples,
    )


def critique_examples(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    max_length: int,
) -> tuple[list[Example], Tally]:
    """Make training examples from critiques and their solutions, and count the critiques by what became of them.

    An example whose verdict is Yes is positive. Nothing is truncated: examples over `max_length` tokens are left out.
    """
    examples, tally = [], Tally()
    for critique, solution in pairs:
        category = critique["category"]
        prompt = learned_prompt(kind, template, solution, critique)
        encoded = encode_critique(tokenizer, prompt, critique["critique"])
        if len(encoded.ids) > max_length:
            tally.too_long[category] += 1
            continue
        tally.used[category] += 1
        tally.positive[category] += critique["verdict"] == 1
        # The output at a position predicts the next token, so labels are shifted left by one.
        unlearned = [UNLABELLED] * (encoded.n_prompt - 1)
        completion = encoded.ids[encoded.n_prompt :]
        examples.append(Example.of(encoded.ids, [*unlearned, *completion, UNLABELLED]))
    return examples, tally
