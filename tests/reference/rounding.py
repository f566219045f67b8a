"""Numbers as the state keeps them."""

from struct import pack, unpack


def f32(x: float) -> float:
    """Round to 32 bits."""
    return float(unpack("f", pack("f", x))[0])


def f16(x: float) -> float:
    """Round to 16 bits."""
    return float(unpack("e", pack("e", x))[0])
