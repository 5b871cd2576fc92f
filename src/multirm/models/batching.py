"""How many texts are computed at once, and batches of items of similar size, which limit padding and memory."""

from collections.abc import Iterator, Sequence

# Tokens that a model reads at once: more take more memory, and hardly less time.
TOKENS_AT_ONCE = {"cpu": 2048, "cuda": 16384}


def batches(sizes: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of `sizes` in batches within `budget`, where each item counts as much as the largest in its batch.

    The largest items come first, so that memory runs out at once or never. An item over the budget gets a batch
    of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if batch and (len(batch) + 1) * sizes[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
