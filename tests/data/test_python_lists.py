"""Lists from `repr`: exactly what Python wrote, and nothing that has to be evaluated."""

import random

import pytest

from multirm.data.python_lists import parse_numbers, parse_texts

CHARACTERS = "ab'\"\\\n\t[],é\u2028\U0001f600\x00"


def test_texts_come_back_as_python_wrote_them() -> None:
    generator = random.Random(1)
    for _ in range(2000):
        texts = [
            "".join(generator.choices(CHARACTERS, k=generator.randint(0, 8)))
            for _ in range(generator.randint(0, 4))
        ]
        assert parse_texts(repr(texts)) == texts
        assert parse_texts(ascii(texts)) == texts


def test_numbers() -> None:
    assert parse_numbers("[1, -1, 0]") == [1, -1, 0]
    assert parse_numbers(" [ 1 , +1,\n-1 ] ") == [1, 1, -1]
    assert parse_numbers("[]") == parse_texts("[]") == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "nan", "'a'", "1", "(1, 2)", "{'a'}"),
        "['a' 'b']",
        "[1, 'a']",
        "[1.0]",
        "[True]",
        "[01]",
        "[None]",
        "['a', __import__('os').system('true')]",
        "[open('x')]",
        "['a' for _ in [1]]",
        "['a'] * 9",
        "[f'{1}']",
        "[b'a']",
        "['a\nb']",
        r"['\d']",
        r"['\x']",
        r"['\Uffffffff']",
        r"['\N{DIGIT ONE}']",
        "[['a']]",
        "[" + "9" * 5000 + "]",
        "[" * 100_000 + "]" * 100_000,
        "[" + "-" * 100_000 + "1]",
        "['a'" * 100_000,
        "['" + "\\" * 100_001 + "']",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    assert parse_texts(text) is None
    assert parse_numbers(text) is None
