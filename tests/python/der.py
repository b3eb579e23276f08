"""As much DER as the tests need to write what no library writes: time-stamps of their own, bent certificates."""

from collections.abc import Iterator

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
GENERALIZED_TIME = 0x18
FIRST = 0xA0
"""The first of the tags that depend on their place, [0]."""


def element(tag: int, *contents: bytes) -> bytes:
    """One element with the shortest length."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def long_element(tag: int, *contents: bytes) -> bytes:
    """One element whose length takes eight bytes, which BER allows and DER does not."""
    content = b"".join(contents)
    return bytes([tag, 0x88]) + len(content).to_bytes(8, "big") + content


def integer(value: int) -> bytes:
    """A number that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def object_identifier(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return element(0x06, content)


def elements(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The elements one after the other: tag, content, and the whole as it stands."""
    at = 0
    while at < len(content):
        start = at
        tag, length = content[at], content[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(content[at : at + size], "big")
            at += size
        yield tag, content[at : at + length], content[start : at + length]
        at += length


def inside(whole: bytes) -> list[bytes]:
    """The elements inside one element, each as it stands."""
    ((_, content, _),) = elements(whole)
    return [one for _, _, one in elements(content)]
