"""The processes that a local AWS runs functions in."""

import os
import signal
from pathlib import Path


def kill(function: str) -> None:
    """Kills every process of the deployed function of this name."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
