"""A local PostgreSQL, as a process of its own that ends with this one."""

import selectors
import subprocess
from dataclasses import dataclass
from pathlib import Path

MAX_START_SECONDS = 60.0


@dataclass
class Postgres:
    """A local PostgreSQL that runs."""

    process: subprocess.Popen

    def make_database(self) -> str:
        """Makes an empty database; its URL."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(MAX_START_SECONDS):
                raise TimeoutError("the local PostgreSQL does not answer")
        return self.process.stdout.readline().decode().strip()

    def stop(self) -> None:
        """Ends it, and all its databases."""
        self.process.stdin.close()
        self.process.wait(MAX_START_SECONDS)
        self.process.stdout.close()


def start(programs: Path) -> Postgres:
    """Starts a local PostgreSQL with the program that `cargo build` put into the folder `programs`."""
    program = programs / "local-postgres"
    if not program.exists():
        raise FileNotFoundError(f"{program} is not there; run `cargo build --workspace --bins`")
    return Postgres(subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
