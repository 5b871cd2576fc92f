"""Completions to steps: the same whether drawn in one go or step by step, with every token in one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.engines.base import Completion
from multirm.engines.stops import completion_of, cut_at_stop
from multirm.search.steps import begin_step, continued, is_complete, steps_of_whole
from multirm.search.tree import Step
from multirm.text.labels import split_steps
from multirm.text.step_ends import StepEnd


class PairTokenizer:
    """Tokens of two characters, so that a stop string may end inside one."""

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool = False) -> str:
        return "".join(chr(token % 256) + chr(token // 256) for token in ids).replace("\0", "")


TOKENIZER = PairTokenizer()


def encoded(text: str) -> list[int]:
    pairs = zip(text[::2], text[1::2] + "\0" * (len(text) % 2), strict=True)
    return [ord(one) + 256 * ord(other) for one, other in pairs]


def whole(text: str, *, truncated: bool = False) -> list[Step]:
    drawn = Completion(encoded(text), text, {}, truncated)
    return steps_of_whole(TOKENIZER, "", drawn, ["\n\n"])  # type: ignore[arg-type]


def test_a_solution_is_split_at_stop_strings() -> None:
    steps = whole("One.\n\nTwo,\nthree.\n\n\n\nFour")
    assert [step.text for step in steps] == ["One.", "Two,\nthree.", "Four"]
    assert [step.is_last for step in steps] == [False, False, True]
    # The second step ends within a token, of which a line end is left; the last one has the end of the text.
    assert [step.n_drawn for step in steps] == [3, 7, 4]
    assert [step.rest for step in steps] == ["", "\n", ""]


def test_what_follows_a_stop_string_in_its_token_belongs_to_the_next_step() -> None:
    steps = whole("One\n\nTwo")
    assert [step.text for step in steps] == ["One", "Two"]
    first, second = steps
    assert (len(first.ids), first.rest) == (3, "T")
    assert len(second.ids) == 1


def test_an_end_after_a_stop_string_is_an_empty_step() -> None:
    steps = whole("Ones\n\n")
    assert [(step.text, step.n_drawn, step.is_last) for step in steps] == [
        ("Ones", 3, False),
        ("", 1, True),
    ]
    assert whole("") == [Step("", [], "", 1, is_last=True, is_cut=False)]


def test_a_truncated_solution_is_cut_in_its_last_step() -> None:
    steps = whole("Ones\n\nTwo", truncated=True)
    assert [(step.text, step.is_cut, step.is_last) for step in steps] == [
        ("Ones", False, False),
        ("Two", True, False),
    ]
    assert [(step.text, step.is_cut) for step in whole("Ones\n\n", truncated=True)] == [
        ("Ones", True)
    ]
    assert [step.is_cut for step in whole("", truncated=True)] == [True]


def test_blank_lines_before_a_step_belong_to_it() -> None:
    step = continued(begin_step("\n"), Completion([1, 2], " ", {}, False, "\n\n", "A"), limit=9)
    assert not is_complete(step)
    assert (step.text, step.rest) == ("", "\n \n\nA")
    step = continued(step, Completion([3], " dog", {}, False, "\n\n", "B"), limit=9)
    assert is_complete(step)
    assert (step.text, step.rest, step.ids, step.n_drawn) == ("A dog", "B", [1, 2, 3], 3)


def test_blank_lines_are_cut_at_the_limit() -> None:
    step = continued(begin_step(""), Completion([1, 2], "", {}, False, "\n\n"), limit=2)
    assert is_complete(step)
    assert step.is_cut


def test_a_full_stop_belongs_to_its_step() -> None:
    stop = StepEnd.SENTENCE_LINE.stop
    step = continued(begin_step(""), Completion([1], "So it is", {}, False, stop), limit=9)
    assert step.text == "So it is."
    assert StepEnd.SENTENCE_LINE.joined(["So it is.", "Yes"]) == "So it is.\nYes"
    assert StepEnd.BLANK_LINE.joined(["So it is.", "Yes"]) == "So it is.\n\nYes"


@given(st.text("ab\n", max_size=30), st.booleans())
def test_steps_hold_every_token_once_and_are_those_of_solutions(text: str, truncated: bool) -> None:
    steps = whole(text, truncated=truncated)
    assert [token for step in steps for token in step.ids] == encoded(text)
    assert sum(step.n_drawn for step in steps) == len(encoded(text)) + (not truncated)
    written = [step.text for step in steps if step.text]
    # If a truncated one ends in a token that ends a step, what follows in the token is lost.
    assert written == split_steps(text)[: len(written) if truncated else None]
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [not truncated]
    assert [step.is_cut for step in steps] == [False] * (len(steps) - 1) + [truncated]


@pytest.mark.parametrize("text", ["A\n\nB", "\n\n\nA\n\n\n\nB\n\n", "A"])
def test_step_by_step_is_as_in_one_go(text: str) -> None:
    expected, steps = whole(text), list[Step]()
    ids, step = encoded(text), begin_step("")
    while not steps or not steps[-1].is_last:
        piece = cut_at_stop(TOKENIZER, ids, ["\n\n"])  # type: ignore[arg-type]
        ids = ids[len(piece) :]
        drawn = completion_of(TOKENIZER, piece, ["\n\n"], {}, False)  # type: ignore[arg-type]
        step = continued(step, drawn, limit=100)
        if is_complete(step):
            steps.append(step)
            step = begin_step(step.rest)
    assert steps == expected
