"""How each reward model is drawn: a colour and a mark, the same in every figure of a study.

Colours go by kind: blues are discriminative and warm colours generative, light outcome and dark process reward
models, after Okabe and Ito's palette; pairwise ones are violet. People with any kind of colour vision can tell kinds
apart; models of one kind also differ by dashes and by filled or open marks. Votes are grey.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multirm.tables.response_accuracy import LONGER, SHORTER
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind

MAJORITY_VOTE = "Majority vote"
WEIGHTED_VOTE = "Weighted vote"
CEILING = "Pass@N"


@dataclass(frozen=True)
class Style:
    """How a method is drawn.

    Attributes:
        colour: as `#RRGGBB`.
        shape: a Vega symbol or path, for points.
        dash: lengths of dashes and gaps in pixels, for lines; a gap of 0 is a solid line.
        is_filled: whether points are filled with the colour, or with white.
    """

    colour: str
    shape: str
    dash: tuple[int, ...] = (1, 0)
    is_filled: bool = True


@dataclass(frozen=True)
class _Family:
    shape: str
    colours: tuple[str, ...]


_KINDS: dict[Kind | None, _Family] = {
    Kind.DORM: _Family("circle", ("#2E9BD6", "#1B7A9E", "#0F5566")),
    Kind.DPRM: _Family("square", ("#0B4F9E", "#3F72D9", "#1B1F6B")),
    Kind.GORM: _Family("triangle-up", ("#CC8400", "#96690A", "#5F4A08")),
    Kind.GPRM: _Family("diamond", ("#B8390E", "#E2573D", "#731A08")),
    Kind.PAIRWISE: _Family("triangle-down", ("#A64CF0", "#8B3FD1", "#4F1F80")),
}
_OTHERS = (
    _Family("cross", ("#0E7C3A", "#3F9560", "#0A4A22")),
    _Family("triangle-left", ("#C2327E", "#D85CA0", "#7A1450")),
    _Family("triangle-right", ("#5A1E12", "#9A5A4C", "#2E0D07")),
)
_DASHES = ((1, 0), (7, 2), (2, 2), (7, 2, 2, 2))
# Strokes as paths in Vega's square from -1 to 1.
_X, _PLUS, _BAR = "M-0.8,-0.8L0.8,0.8M0.8,-0.8L-0.8,0.8", "M-1,0L1,0M0,-1L0,1", "M0,-1L0,1"
_SHAPES_OF_OTHERS = ("triangle-left", "triangle-right", "arrow", _BAR)

VOTES = {
    MAJORITY_VOTE: Style("#5A5A5A", _X, (4, 3)),
    WEIGHTED_VOTE: Style("#303030", _PLUS, (6, 2, 1, 2)),
    CEILING: Style("#8C8C8C", _PLUS, (1, 2)),
}
"""The styles of what needs no reward model, and of the ceiling."""

STAND_INS = {LONGER: "Longer response", SHORTER: "Shorter text"}
"""What figures call the stand-ins for a reward model, which look like the majority vote."""


def styles(models: Sequence[RewardModel]) -> dict[str, Style]:
    """The style of each reward model, by its name; training runs and their mean look like their model.

    Args:
        models: all that the table has, in its order, so that a style does not depend on what one figure
            shows. Models of no kind, and of one without a colour here, get colours by their place among those.
    """
    groups = {each.run_of: (each.kind, "" if each.kind else each.run_of) for each in models}
    families = {(kind, ""): family for kind, family in _KINDS.items()}
    others = [group for group in dict.fromkeys(groups.values()) if group not in families]
    chosen = families | {group: _OTHERS[k % len(_OTHERS)] for k, group in enumerate(others)}
    ranks: Counter[_Family] = Counter()
    found = {}
    for name, group in groups.items():
        found[name] = _in_family(chosen[group], ranks[chosen[group]])
        ranks[chosen[group]] += 1
    return {each.model: found[each.run_of] for each in models}


def style_of_kind(kind: Kind, rank: int = 0) -> Style:
    """The style of the first reward model of a kind, or of a further one."""
    return _in_family(_KINDS[kind], rank)


def _in_family(family: _Family, rank: int) -> Style:
    """The style of a family's model of a rank: twelve are distinct."""
    colour = family.colours[rank % len(family.colours)]
    return Style(colour, family.shape, _DASHES[rank % len(_DASHES)], rank % 2 == 0)


def with_aggregation(style: Style, rank: int) -> Style:
    """The style of a model with its aggregation of a rank: in the same colour, sixteen are distinct."""
    if rank == 0:
        return style
    again, place = divmod(rank - 1, len(_SHAPES_OF_OTHERS))
    dash = _DASHES[(_DASHES.index(style.dash) + again) % len(_DASHES)]
    return replace(style, shape=_SHAPES_OF_OTHERS[place], dash=dash)
