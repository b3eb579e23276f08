"""What `batch-sign` takes: time, memory, and whether killed runs sign anything twice; beside a pool of c2pa-python.

As a program it measures and writes the figures into `docs/batch.md`. All runs of one table are made one after the
other in one go, so that they can be compared.
"""

import argparse
import json
import multiprocessing
import os
import platform
import random
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import c2pa

import credlink
from batches import drafts, proofs
from credlink import ROOT, binary, clean_environment
from images import saved, scene

KILLS = 10

PICTURES = 8
"""So many pictures are made; the files differ in a comment."""


@dataclass(frozen=True)
class Run:
    """One run through all files."""

    seconds: float
    summary: dict
    early_memory: int
    """Resident, in KiB, when a tenth of the files was done."""
    late_memory: int
    """The same at the end."""

    def rate(self, files: int) -> float:
        """Files in a second."""
        return files / self.seconds


def make(folder: Path, files: int, length: int) -> int:
    """So many JPEGs of about this length; all bytes in them."""
    folder.mkdir()
    pictures = [picture(seed, length) for seed in range(PICTURES)]
    total = 0
    for number in range(files):
        jpeg, comment = pictures[number % PICTURES], b"number %08d" % number
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        total += (folder / f"{number:06}.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    return total


def picture(seed: int, length: int) -> bytes:
    """A JPEG of 12 to 2 megapixels, as large as its quality of 88 makes it reach the length."""
    width = 640
    while True:
        jpeg = saved(scene(width, width * 3 // 4, seed), "JPEG", quality=88)
        if len(jpeg) >= length:
            return jpeg
        width = int(width * max(1.02, (length / len(jpeg)) ** 0.5))


def command(data: Path, source: Path, out: Path, workers: int, *further: str) -> list[str]:
    """The command line of a run."""
    return [
        str(binary()), "batch-sign", "--data", str(data), "--input", str(source), "--output", str(out),
        "--parallel", str(workers), "--format", "jsonl", *further,
    ]  # fmt: skip


def sign(data: Path, source: Path, out: Path, workers: int, files: int) -> Run:
    """One run."""
    began, early, late, done, summary = time.monotonic(), 0, 0, 0, {}
    with subprocess.Popen(
        command(data, source, out, workers), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment()
    ) as process:
        for line in process.stdout:
            if line.startswith(b'{"summary"'):
                summary = json.loads(line)["summary"]
                continue
            done += 1
            if done == files // 10:
                early = resident(process.pid)
            elif done == files - 1:
                late = resident(process.pid)
    seconds = time.monotonic() - began
    assert process.returncode == 0 and summary["success"] == files == proofs(data), summary
    return Run(seconds, summary, early, late)


def resident(pid: int) -> int:
    """What a process has in memory, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def kill_and_resume(data: Path, source: Path, out: Path, files: int, expected: float) -> dict:
    """Kills a batch at random moments of its way, and brings it to its end."""
    chance, began, kills = random.Random(11), time.monotonic(), 0
    while kills < KILLS:
        process = subprocess.Popen(
            command(data, source, out, 2, "--resume"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment(),
        )  # fmt: skip
        try:
            process.wait(timeout=chance.uniform(0.02, 1.6) * expected / (KILLS + 2))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    done = subprocess.run(command(data, source, out, 2, "--resume"), capture_output=True, env=clean_environment())
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    return {
        "kills": kills,
        "seconds": time.monotonic() - began,
        "failed": summary["failed"],
        "proofs": proofs(data),
        "images": len(list(out.glob("*.jpg"))),
        "drafts": len(drafts(out)),
        "is right": done.returncode == 0 and proofs(data) == files,
    }


class Pool:
    """Processes that sign with c2pa-python, with the same key: the usual script."""

    def __init__(self, data: Path, thumbnails: bool) -> None:
        pem = (data / "keys" / "signer.pem").read_text()
        key, _, chain = pem.partition("-----BEGIN CERTIFICATE-----")
        self.key, self.chain = key, "-----BEGIN CERTIFICATE-----" + chain
        self.thumbnails = thumbnails

    def sign(self, source: Path, out: Path, workers: int) -> float:
        """Signs all files; how many seconds that took."""
        out.mkdir()
        began = time.monotonic()
        with multiprocessing.Pool(workers, _begin, (self.key, self.chain, self.thumbnails)) as pool:
            names = [(str(path), str(out / path.name)) for path in sorted(source.iterdir())]
            for _ in pool.imap_unordered(_sign, names, chunksize=4):
                pass
        return time.monotonic() - began


_ready: dict = {}


def _begin(key: str, chain: str, thumbnails: bool) -> None:
    algorithm = {256: b"es256", 384: b"es384"}.get(_curve(key), b"ps256")
    info = c2pa.C2paSignerInfo(algorithm, chain.encode(), key.encode(), None)
    settings = {"verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": thumbnails}}}
    _ready["signer"] = c2pa.Signer.from_info(info)
    _ready["context"] = c2pa.Context(c2pa.Settings.from_dict(settings))


def _curve(key: str) -> int:
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(key.encode(), None)
    return private.key_size if type(private).__name__.startswith("EC") else 0


def _sign(names: tuple[str, str]) -> None:
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    action = {"action": "c2pa.created", "digitalSourceType": source}
    definition = {
        "claim_generator_info": [{"name": "figures", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    with c2pa.Builder(definition, context=_ready["context"]) as builder:
        with open(names[0], "rb") as image, open(names[1], "w+b") as signed:
            builder.sign(_ready["signer"], "image/jpeg", image, signed)


def measure(folder: Path, files: int, length: int, algorithm: str, rounds: int) -> str:
    """All figures with one kind of key, as the rows of a table."""
    source = folder / "in"
    if not source.exists():
        make(source, files, length)
    own = folder / algorithm
    own.mkdir()
    taken: dict[str, list] = {"1": [], "2": [], "pool": [], "pool with thumbnails": []}
    for number in range(rounds):
        for workers in ("1", "2"):
            data, out = own / f"data{number}{workers}", own / f"out{number}{workers}"
            credlink.make_keys(data, algorithm)
            taken[workers].append(sign(data, source, out, int(workers), files))
            empty(out)
        for name in ("pool", "pool with thumbnails"):
            out = own / f"{name}{number}"
            taken[name].append(Pool(data, name != "pool").sign(source, out, 2))
            empty(out)
    killed, out = own / "killed", own / "killed-out"
    credlink.make_keys(killed, algorithm)
    expected = statistics.median(run.seconds for run in taken["2"])
    resumed = kill_and_resume(killed, source, out, files, expected)
    empty(out)
    return told(algorithm, files, taken, resumed)


def empty(folder: Path) -> None:
    """Frees what the files take. Removed ones would slow the next run down: for minutes, ext4 searches the disk for their
    inodes, to use none of them anew.
    """
    for path in folder.iterdir():
        os.truncate(path, 0)
    os.sync()


def told(algorithm: str, files: int, taken: dict[str, list], resumed: dict) -> str:
    """The rows."""
    one, two = taken["1"], taken["2"]
    ratios = [a.seconds / b.seconds for a, b in zip(one, two, strict=True)]
    shares = [run.seconds * 1000 * workers / run.summary["pipelineTime"] for runs, workers in ((one, 1), (two, 2)) for run in runs]
    rows = [
        ("one worker", seconds(run.seconds for run in one)),
        ("two workers", seconds(run.seconds for run in two)),
        ("two against one, in each round", ", ".join(f"{ratio:.2f} ×" for ratio in ratios)),
        ("time × workers against the pipeline's own, one worker then two", ", ".join(f"{share:.2f}" for share in shares)),
        ("memory at a tenth, at the end, two workers", ", ".join(f"{r.early_memory / 1024:.0f} MB, {r.late_memory / 1024:.0f} MB" for r in two)),
        ("c2pa-python, two processes, no thumbnails", seconds(taken["pool"])),
        ("c2pa-python, two processes, as it comes", seconds(taken["pool with thumbnails"])),
        (f"killed {resumed['kills']} times and resumed", f"{resumed['seconds']:.1f} s; {resumed['proofs']} proofs, {resumed['images']} images, {resumed['drafts']} drafts, {resumed['failed']} failures"),
    ]
    return "\n".join(f"| {algorithm} | {name} | {figure} |" for name, figure in rows)


def seconds(times) -> str:
    """Seconds of each round."""
    return ", ".join(f"{time:.1f} s" for time in times)


def write(table: str) -> None:
    """Puts the table into the documentation."""
    place = ROOT / "docs" / "batch.md"
    head, _, rest = place.read_text().partition("<!-- figures -->\n")
    _, _, tail = rest.partition("<!-- end -->")
    place.write_text(f"{head}<!-- figures -->\n{table}\n<!-- end -->{tail}")


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--length", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--algorithms", nargs="+", default=["rsa-4096", "p-256"])
    parser.add_argument("--folder", type=Path, help="where files are put; else a temporary folder")
    parser.add_argument("--print", action="store_true", help="print the figures only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        tables = [
            measure(Path(folder), arguments.files, arguments.length, algorithm, arguments.rounds)
            for algorithm in arguments.algorithms
        ]
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, {platform.system()}"
    head = f"{arguments.files} JPEGs of {arguments.length / 1e6:.1f} MB; {machine}.\n\n| key | what | figure |\n|---|---|---|"
    table = "\n".join([head, *tables])
    print(table)
    if not arguments.print:
        write(table)


if __name__ == "__main__":
    main()
