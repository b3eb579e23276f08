"""Two signers swapped under load."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from stack import Stack
from test_images import sign, small
from validators import assert_valid

DEADLINE = 120.0
"""The longest that functions may take to follow a swap, in seconds. They look every 30."""


def algorithm(stack: Stack, signed: bytes) -> str:
    """What an image is signed with, as the service says; the image must be valid."""
    report = stack.call("POST", "/verify", data=signed, headers={"Content-Type": "image/jpeg"}).json()
    assert (report["valid"], report["state"]) == (True, "trusted"), report["status"]
    return report["certificate"]["algorithm"]


def test_every_image_verifies_with_the_chain_it_carries(
    stack: Stack, activate: Callable[[str], str], restarted: Callable[[], None]
) -> None:
    root = activate("ps256")
    # What a function remembers from an earlier test would look like a swap.
    restarted()
    enough, signed = Event(), []

    def load() -> None:
        while not enough.is_set():
            signed.append(sign(stack, small("jpeg")).content)

    with ThreadPoolExecutor(3) as threads:
        loads = [threads.submit(load) for _ in range(2)]
        try:
            for wanted in ("es256", "ps256"):
                activate(wanted)
                start = len(signed)
                until_newest(stack, signed, start, wanted)
        finally:
            enough.set()
        for one in loads:
            one.result()
    for image in signed:
        assert_valid(image, root)


def until_newest(stack: Stack, signed: list[bytes], start: int, wanted: str) -> None:
    """Waits until an image that was signed after the first `start` ones has the wanted algorithm."""
    deadline, looked_at = time.monotonic() + DEADLINE, start
    while time.monotonic() < deadline:
        if len(signed) <= looked_at:
            time.sleep(0.05)
            continue
        looked_at = len(signed) - 1
        if algorithm(stack, signed[looked_at]) == wanted:
            return
    raise TimeoutError(f"nobody signs with {wanted}")
