"""Colours that can be seen and told apart, by formulas of their own, and the same wherever a model is shown."""

import itertools

import numpy as np
import pytest

from multirm.charts.palette import CEILING, MAJORITY_VOTE, VOTES, styles, with_aggregation
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind
from tests.figures.described import described

KINDS = ["dORM", "dPRM", "gORM", "gPRM", "pairwise"]

# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    """Linear RGB of an sRGB colour (IEC 61966-2-1)."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB, under D65."""
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    share = (to_xyz @ np.clip(rgb, 0, 1)) / [0.95047, 1, 1.08883]
    f = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, vision: str) -> float:
    """The CIE 1976 difference between two colours, as somebody sees them."""
    seen = [lab(np.asarray(VISION[vision]) @ linear(colour)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def contrast(colour: str) -> float:
    """Contrast with white (WCAG 2.2)."""
    return float(1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05))


def of(*kinds: str | None) -> list[RewardModel]:
    return described({f"m{number}": kind for number, kind in enumerate(kinds)})


MANY = of(*[kind for kind in KINDS for _ in range(3)], *[None] * 9)


def test_formulas() -> None:
    assert contrast("#000000") == pytest.approx(21)
    assert contrast("#FFFFFF") == pytest.approx(1)
    assert lab(linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.01)


def test_everything_stands_out_from_white() -> None:
    colours = {style.colour for style in (styles(MANY) | VOTES).values()}
    assert {colour for colour in colours if contrast(colour) < 3} == set()


@pytest.mark.parametrize("vision", VISION)
def test_kinds_and_votes_are_told_apart_by_colour(vision: str) -> None:
    shown = styles(of(*KINDS)) | {name: VOTES[name] for name in (MAJORITY_VOTE, CEILING)}
    near = {
        pair: distance(shown[pair[0]].colour, shown[pair[1]].colour, vision)
        for pair in itertools.combinations(shown, 2)
    }
    assert min(near.values()) > 19, near


@pytest.mark.parametrize("vision", VISION)
def test_near_colours_have_other_marks(vision: str) -> None:
    shown = [*styles(MANY).values(), *VOTES.values()]
    for one, other in itertools.combinations(shown, 2):
        marked = (one.shape, one.dash, one.is_filled) != (other.shape, other.dash, other.is_filled)
        assert marked or distance(one.colour, other.colour, vision) > 20


def test_twelve_models_of_a_kind_are_distinct() -> None:
    assert len(set(styles(of(*["gORM"] * 12)).values())) == 12
    assert len({style.shape for style in styles(of(*["gORM"] * 12)).values()}) == 1


def test_kinds_have_their_colours_whatever_else_there_is() -> None:
    alone = [styles(of(kind))["m0"] for kind in KINDS]
    assert list(styles(of(*KINDS)).values()) == alone
    among = styles(of(None, "pairwise", "gPRM", None, "gORM", None, "dPRM", "dORM"))
    assert [among[name] for name in ("m7", "m6", "m4", "m2", "m1")] == alone


def test_a_model_more_changes_no_other() -> None:
    for count in range(1, len(MANY)):
        before = styles(MANY[:count])
        after = styles(MANY[: count + 1])
        assert {name: after[name] for name in before} == before


def test_runs_and_their_mean_look_like_their_model() -> None:
    models = [
        RewardModel(model=name, run_of="d", kind=Kind.DORM) for name in ("d@mean", "d", "d@43")
    ]
    found = styles([*models, *described({"e": "dORM"})])
    assert found["d@mean"] == found["d"] == found["d@43"] == styles(models)["d"]
    assert found["e"] != found["d"]


def test_models_of_no_kind_are_of_a_colour_each_whatever_their_names() -> None:
    found = styles(described({"dORM": None, "second": None, "third": None, "dPRM-8B": "dPRM"}))
    assert len({style.shape for style in found.values()}) == 4
    assert found["dPRM-8B"] == styles(of("dPRM"))["m0"]
    assert found["dORM"] == styles(of(None))["m0"]


def test_aggregations_of_a_model_have_its_colour() -> None:
    own = styles(of("dPRM"))["m0"]
    others = [with_aggregation(own, rank) for rank in range(16)]
    assert others[0] == own
    assert {style.colour for style in others} == {own.colour}
    assert len(set(others)) == 16
    assert len({style.shape for style in others[:5]}) == 5
