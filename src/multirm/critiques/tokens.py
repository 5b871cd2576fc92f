"""Show a training critique as a backbone sees it: its tokens, and which of them count in the loss."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.errors import InputError, shown
from multirm.models.load import load_tokenizer, sources_of
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critique_rows import (
    require_critiques,
    require_generative,
    solution_key,
    with_solutions,
)
from multirm.tables.critiques import CRITIQUES, EXAMPLE_TOKENS, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import encode_critique, verdict_candidates
from multirm.text.prompts import Template, learned_prompt, load_template, own_template

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@entry
def list_tokens(
    kind: Kind,
    backbone: Place,
    solutions: list[Path],
    critiques: list[Path],
    output: OutputFile,
    template: Path | None = None,
) -> None:
    """List the tokens of one training example of each category, as `train-generative` encodes it.

    Check it before a training run: are the chat template, the prompt and the start of the reply right, where does
    the loss begin, and does the example end with the verdict?

    Args:
        kind: gORM or gPRM.
        backbone: model folder or hub name; only its tokenizer is loaded.
        solutions: tables of the critiques' solutions.
        critiques: tables of filtered critiques; the first kept one of each category is shown.
        output: table with a row per token.
        template: prompt template; by default, the package's own.
    """
    require_generative(kind)
    for path in critiques:
        require_critiques(path, kind, CritiqueStage.FILTERED, CritiqueStage.SHORTENED)
    source = ", ".join(map(str, critiques))
    first: dict[tuple[str, str], Row] = {}
    for row in parquet.read_all(critiques, CRITIQUES).to_pylist():
        if row["kept"]:
            first.setdefault((row["dataset"], row["category"]), row)
    if not first:
        raise InputError(source, expected="at least one kept critique", found="none")
    verified = parquet.read_all(solutions, SOLUTIONS).to_pylist()
    template = template or own_template(kind)
    words = load_template(template, kind)
    tokenizer = load_tokenizer(backbone)
    verdict_candidates(tokenizer)
    rows = []
    for critique, solution in with_solutions(first.values(), verified, source):
        found = example_tokens(kind, tokenizer, words, critique, solution)
        n_learned = sum(row["learned"] for row in found)
        logger.info(
            "%s: %d tokens, %d of them learned, from %s to %s",
            critique["category"],
            len(found),
            n_learned,
            shown(found[-n_learned]["text"]),
            shown(found[-1]["text"]),
        )
        key = {**solution_key(critique), "critique_id": critique["critique_id"]}
        rows += [{**key, "kind": str(kind), **row} for row in found]
    parameters = {"kind": kind, "backbone": sources_of(backbone)[0]}
    inputs = [*solutions, *critiques, template, *local([backbone])]
    parquet.write(output, EXAMPLE_TOKENS, rows, origin_of(__name__, parameters, inputs))


def example_tokens(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    critique: Row,
    solution: Row,
) -> list[dict[str, Any]]:
    """The tokens of a training example: position, id, the token's own text, and whether it counts in the loss."""
    prompt = learned_prompt(kind, template, solution, critique)
    encoded = encode_critique(tokenizer, prompt, critique["critique"])
    return [
        {
            "place": place,
            "token": token,
            "text": tokenizer.decode([token], clean_up_tokenization_spaces=False),
            "learned": place >= encoded.n_prompt,
        }
        for place, token in enumerate(encoded.ids)
    ]
