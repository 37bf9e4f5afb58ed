"""Where `random_get` gets its octets from: a function of how many there shall be."""

import itertools


def constant(octets):
    """These, again and again, and from the first in each call."""
    return lambda size: bytes(itertools.islice(itertools.cycle(octets), size))


def predictable(seed):
    """As libc's `random()` in WasmX: who knows or guesses the seed (it is the time and the process's
    number) knows all that comes. The same seed is the same sequence."""
    state = seed & 0xFFFF_FFFF

    def octets(size):
        nonlocal state
        drawn = bytearray()
        for _ in range(size):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
            drawn.append(state >> 16 & 0xFF)
        return bytes(drawn)

    return octets
