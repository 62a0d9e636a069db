"""Seeded damage to bytes: the same seed spoils the same bits."""

import random
from collections.abc import Callable, Sequence

_BORDERS = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four wounds: bits, lengths, pieces cut, doubled, moved or inserted."""
    wounded = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if wounded:
            rng.choice(_WOUNDS)(wounded, rng)
    return bytes(wounded)


def mutated_messages(pieces: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Return messages, one of them wounded, and some of them dropped, doubled or in the wrong order."""
    stream = list(pieces)
    if rng.random() < 0.3:
        stream.insert(rng.randrange(len(stream) + 1), rng.choice(stream))
    if rng.random() < 0.2:
        stream.pop(rng.randrange(len(stream)))
    if rng.random() < 0.1:
        rng.shuffle(stream)
    if stream:
        wounded = rng.randrange(len(stream))
        stream[wounded] = mutated(stream[wounded], rng)
    return stream


def _flip(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _border(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] = rng.choice(_BORDERS)


def _length(content: bytearray, rng: random.Random) -> None:
    at, size = rng.randrange(len(content)), rng.choice((2, 4))
    value = rng.choice((0, 1, len(content), 2 ** (8 * size) - 1, 2 ** (8 * size - 1), rng.randrange(2 ** (8 * size))))
    content[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _cut(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    del content[at : at + rng.choice((1, 2, 8, 64, len(content)))]


def _double(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    content[at:at] = content[at : at + rng.choice((1, 8, 64, 512))]


def _move(content: bytearray, rng: random.Random) -> None:
    at, size = rng.randrange(len(content)), rng.choice((2, 8, 64))
    piece = content[at : at + size]
    del content[at : at + size]
    to = rng.randrange(len(content) + 1)
    content[to:to] = piece


def _insert(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    content[at:at] = rng.randbytes(rng.choice((1, 4, 32)))


_WOUNDS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _border, _length, _cut, _double, _move, _insert)
