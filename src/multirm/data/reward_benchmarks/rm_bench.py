"""RM-Bench (arXiv 2410.16184): three right and three wrong responses, each concise, detailed and in Markdown.

The domain is the row's `domain`, as in the file with all of them, or else the beginning of the file's name, as in
`chat_filtered.json`. Safety consists of `safety-refuse` and `safety-response`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from multirm.data.reward_benchmarks.prompts import (
    Prompt,
    Response,
    prompt_text,
    response_texts,
)
from multirm.errors import one_of, shown
from multirm.formats.json_source import Record
from multirm.tables.responses import Style

SECTIONS = ("chat", "math", "code", "safety")
DOMAINS = ("chat", "math", "code", "safety-refuse", "safety-response")

_STYLES = (Style.CONCISE, Style.DETAILED, Style.MARKDOWN)


def prompts(records: Iterable[Record], file: Path) -> Iterator[Prompt]:
    """A prompt for each row."""
    named = file.stem.removesuffix("_filtered")
    for record in records:
        domain = record.text("domain") if "domain" in record.values else named
        if domain not in DOMAINS:
            raise record.error(
                "domain",
                expected=f"{one_of(DOMAINS)}, here or in the file's name",
                found=shown(domain),
            )
        responses = []
        for key, is_chosen in (("chosen", True), ("rejected", False)):
            texts = response_texts(record, key)
            if len(texts) != len(_STYLES):
                raise record.error(key, expected="three responses", found=str(len(texts)))
            responses += [
                Response(text, is_chosen, style) for style, text in zip(_STYLES, texts, strict=True)
            ]
        yield Prompt(
            record.where,
            domain,
            domain.partition("-")[0],
            record.identifier("id"),
            prompt_text(record, "prompt"),
            responses,
        )
