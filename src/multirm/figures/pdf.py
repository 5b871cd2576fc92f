"""PDFs whose bytes are those of their content alone: what draws them numbers resources as a hash table has them."""

import re

_REFERENCE = re.compile(rb"(?<![\d.])(\d+) 0 R\b")
_RESOURCES = re.compile(rb"(/(?:Font|XObject|ExtGState)\s*<<\s*)(.*?)(\s*>>)", re.DOTALL)
_RESOURCE = re.compile(rb"/\S+\s+\d+ 0 R")
_TRAILER = re.compile(rb"trailer\s*<<(.*?)>>\s*startxref\s+(\d+)\s+%%EOF\s*\Z", re.DOTALL)
_TABLE = re.compile(rb"xref\s+0 (\d+)\s+((?:\d{10} \d{5} [fn]..)+)", re.DOTALL)
_ENTRY_BYTES = 20


def in_order(pdf: bytes) -> bytes:
    """The same document with its resources by name and its objects numbered as they are come upon from the trailer.

    Raises:
        ValueError: a PDF that is made in another way than with one cross-reference table.
    """
    end = _TRAILER.search(pdf)
    table = end and _TABLE.match(pdf, int(end[2]))
    if end is None or table is None:
        raise ValueError("a PDF without one trailer and cross-reference table")
    objects = _objects(pdf, table)
    numbers: dict[bytes, bytes] = {}
    ahead = [end[1]]
    while ahead:
        for number in _REFERENCE.findall(ahead.pop()):
            if number not in numbers:
                numbers[number] = b"%d" % (len(numbers) + 1)
                ahead.append(objects[number][0])

    def renumbered(dictionary: bytes) -> bytes:
        return _REFERENCE.sub(lambda found: numbers[found[1]] + b" 0 R", dictionary)

    written = pdf[: min(_offsets(table))]
    entries = b"0000000000 65535 f \n"
    for old, new in numbers.items():
        dictionary, stream = objects[old]
        entries += b"%010d 00000 n \n" % len(written)
        written += b"%s 0 obj%s%s\n" % (new, renumbered(dictionary), stream)
    size = len(numbers) + 1
    trailer = re.sub(rb"/Size\s+\d+", b"/Size %d" % size, renumbered(end[1]))
    place = len(written)
    return written + b"xref\n0 %d\n%strailer\n<<%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        entries,
        trailer,
        place,
    )


def _offsets(table: re.Match[bytes]) -> list[int]:
    """Where the objects begin, of those that are there, by their numbers from 1."""
    entries = [table[2][i : i + _ENTRY_BYTES] for i in range(0, len(table[2]), _ENTRY_BYTES)]
    if len(entries) != int(table[1]) or any(entry[17:18] != b"n" for entry in entries[1:]):
        raise ValueError("a PDF with gaps among its objects")
    return [int(entry[:10]) for entry in entries[1:]]


def _objects(pdf: bytes, table: re.Match[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    """Each object's dictionary, resources by name, and what follows it to the object's end; by number."""
    offsets = _offsets(table)
    ends = dict(zip(sorted(offsets), [*sorted(offsets)[1:], table.start()], strict=True))
    objects = {}
    for number, start in enumerate(offsets, start=1):
        found = re.match(rb"%d 0 obj\b" % number, pdf[start : ends[start]])
        if found is None:
            raise ValueError(f"a PDF whose object {number} is not where its table has it")
        body = pdf[start + found.end() : ends[start]].rstrip()
        place = re.search(rb"\bstream\r?\n|\bendobj\Z", body)
        if place is None:
            raise ValueError(f"a PDF whose object {number} has no end")
        dictionary = _RESOURCES.sub(_by_name, body[: place.start()])
        objects[b"%d" % number] = (dictionary, body[place.start() :])
    return objects


def _by_name(resources: re.Match[bytes]) -> bytes:
    return resources[1] + b"\n".join(sorted(_RESOURCE.findall(resources[2]))) + resources[3]
