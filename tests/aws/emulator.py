"""Runs a local AWS until it is interrupted: `make emulator`."""

import signal
import tempfile
from pathlib import Path

import ministack


def main() -> None:
    """Starts it, says how to reach it, and waits."""
    with tempfile.TemporaryDirectory(prefix="credlink-aws-") as folder:
        running = ministack.start(Path(folder))
        print(f"# A local AWS at {running.endpoint}; Ctrl-C ends it, and all that is in it is gone.")
        for name, value in running.environment().items():
            if name.startswith("AWS_"):
                print(f"export {name}={value}")
        print(f"# Log: {running.log}", flush=True)
        try:
            # From here on, so that neither the local AWS nor its functions inherit it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        finally:
            running.stop()


if __name__ == "__main__":
    main()
