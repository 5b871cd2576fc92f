"""The loop that discriminative reward models of all kinds share: encode, group in packs, leave out what is done."""

from collections.abc import Callable, Container, Iterator, Sequence

from multirm.models.packing import group_in_packs
from multirm.reward_models.base import Rewards, Solution
from multirm.reward_models.layouts import EncodedText, warn_of_texts


def read_in_packs(
    solutions: Sequence[Solution],
    encode: Callable[[Solution], EncodedText],
    read: Callable[[Sequence[EncodedText]], Sequence[Rewards]],
    max_tokens: int | None,
    batch_tokens: int,
    done: Container[int] = (),
) -> Iterator[dict[int, Rewards]]:
    """Score solutions, pack by pack; see `RewardModel.score_in_batches`.

    Solutions longer than the context come first, with null rewards and `truncated`: none is cut.

    Args:
        encode: gives a solution's token ids, and the places of its rewards.
        read: gives the rewards of the texts of one pack.
        max_tokens: length of the context; None if unknown.
        batch_tokens: approximate number of tokens in a pack.
        done: positions of solutions to skip.
    """
    encoded = [encode(solution) for solution in solutions]
    warn_of_texts(encoded)
    over = too_long(encoded, max_tokens)
    if missing := [position for position in sorted(over) if position not in done]:
        yield {position: without_rewards(encoded[position]) for position in missing}
    texts = [each.ids for each in encoded]
    pools: dict[str, list[int]] = {}
    for position, solution in enumerate(solutions):
        if position not in over:
            pools.setdefault(solution.question, []).append(position)
    # Packs do not depend on `done`, so that rewards are the same to the last bit.
    for positions in group_in_packs(pools.values(), texts, batch_tokens):
        if positions[0] not in done:
            rewards = read([encoded[position] for position in positions])
            yield dict(zip(positions, rewards, strict=True))


def too_long(encoded: Sequence[EncodedText], max_tokens: int | None) -> set[int]:
    """The positions of texts that are longer than the context; none if its length is unknown."""
    limit = max_tokens or max((len(text.ids) for text in encoded), default=0)
    return {position for position, text in enumerate(encoded) if len(text.ids) > limit}


def without_rewards(text: EncodedText) -> Rewards:
    """The missing rewards of a text that is longer than the context."""
    return Rewards((None,) * len(text.places), 0, 0, 0.0, truncated=True)
