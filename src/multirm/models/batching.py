"""Items of like size together, so that padding is little and memory is bounded."""

from collections.abc import Iterator, Sequence


def batches(sizes: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of `sizes` in batches, whose items all count as the largest of them, each within `budget`.

    The largest come first, so that memory runs out at once or never. An item that is over the budget by
    itself makes a batch by itself.
    """
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if batch and (len(batch) + 1) * sizes[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
