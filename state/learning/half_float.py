"""Half floats as 16 bits: IEEE 754 binary16, as `struct` packs them with `e`."""

import math
from struct import Struct

MOST = 60_000.0
"""Limit of numbers to pack."""

_SMALLEST_NORMAL = 2.0**-14
_UNITS = 2.0**24
"""Units of the smallest number in 1."""
_HALF = Struct("<e")


def to_bits(number: float) -> int:
    """Return the bits of a number within ±`MOST`, rounded half to even.

    >>> hex(to_bits(1.0)), hex(to_bits(-0.1))
    ('0x3c00', '0xae66')
    """
    sign = 0
    if math.copysign(1.0, number) < 0.0:
        sign, number = 0x8000, -number
    exponent = 0
    if number < _SMALLEST_NORMAL:
        scaled = number * _UNITS
    else:
        exponent = 15
        while number >= 2.0:
            number *= 0.5
            exponent += 1
        while number < 1.0:
            number *= 2.0
            exponent -= 1
        scaled = (number - 1.0) * 1024.0
    bits = int(scaled)
    rest = scaled - bits
    if rest > 0.5 or (rest == 0.5 and bits & 1):
        bits += 1  # a carry raises the exponent
    return sign | ((exponent << 10) + bits)


def from_bits(bits: int) -> float:
    """Return the number of some bits.

    >>> from_bits(to_bits(0.75))
    0.75
    """
    (number,) = _HALF.unpack(bits.to_bytes(2, "little"))
    return float(number)
