"""A conversation is asked for by its ids and by its turns."""

from pathlib import Path

from multirm.engines.base import Prompt
from multirm.generation.prompts import conversation_prompt
from multirm.models.load import load_tokenizer
from multirm.text.encoding import encode_conversation


def test_a_prompt_has_its_turns(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    turns = ["What is 1 + 1?", "2", "And 2 + 2?"]
    expected = Prompt(("a", 1), encode_conversation(tokenizer, turns), tuple(turns))
    assert conversation_prompt(tokenizer, ("a", 1), turns) == expected
