"""The processes that a local AWS runs functions in."""

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

LONGEST_DEATH = 10_000
"""Milliseconds."""


def kill(function: str) -> None:
    """Kills every process of the deployed function of this name, and waits until none of them is left.

    A signal is only on its way when it is sent, and the local AWS would give the next event to a process that still dies.
    """
    killed = [process for process in running(function) if signalled(process)]
    for process in killed:
        dead = select.poll()
        dead.register(process, select.POLLIN)
        if not dead.poll(LONGEST_DEATH):
            raise TimeoutError(f"a process of {function} does not die")
        os.close(process)


def running(function: str) -> Iterator[int]:
    """A descriptor of each process of the function."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield os.pidfd_open(int(folder.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue


def signalled(process: int) -> bool:
    """Sends the signal; false when the process has ended already."""
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        os.close(process)
        return False
    return True
