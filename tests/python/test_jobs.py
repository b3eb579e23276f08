"""Jobs: beside the service, by command, and after their process was killed."""

import hashlib
import json
import os
import signal
import subprocess
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import credlink
from credlink import DEADLINE, Service, binary, clean_environment, run
from images import corpus

NAMES = ["proof-cleanup", "certificate-rotation-check", "proof-restamp", "health-metrics"]

MAX_TAKE_OVER = 60.0
"""The longest that the work of a killed process may wait for another one, in seconds."""


@pytest.fixture
def folder(data: Path) -> Path:
    """A data folder with keys."""
    credlink.make_keys(data, "p-256")
    return data


def jobs(data: Path, *arguments: str, status: int = 0, env: dict[str, str] | None = None) -> dict:
    """What a `jobs` command tells, as JSON."""
    done = run("jobs", *arguments, "--json", "--data", data, env=env)
    assert done.returncode == status, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)


def listed(data: Path, name: str, env: dict[str, str] | None = None) -> dict:
    """What `jobs list` tells of a job."""
    (found,) = [job for job in jobs(data, "list", env=env)["jobs"] if job["name"] == name]
    return found


def state(data: Path, name: str) -> dict:
    """The state of a job, as it stands in its file."""
    path = data / "jobs" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"runs": []}


def wait_for(condition, limit: float = DEADLINE):
    """What `condition` gives, as soon as it gives something."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def metrics(service: Service) -> dict[tuple[str, tuple], float]:
    """What is measured, by name and labels, as Prometheus' own client reads it."""
    answer = service.session.get(f"{service.url}/metrics", timeout=DEADLINE)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def make_orphans(data: Path, count: int) -> Path:
    """Makes look-ups of proofs that are gone, for the cleanup to remove; the folder with them."""
    index = data / "proofs" / "by-hash"
    old = time.time() - 3 * 86400
    for number in range(count):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        path = index / digest[:3] / f"{digest}.8000000000000000.{uuid.uuid4()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (old, old))
    return index


def names_in(index: Path) -> int:
    return sum(1 for _ in index.glob("*/*"))


def test_a_new_installation_lists_its_jobs_and_makes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "nothing"
    found = jobs(data, "list")["jobs"]
    assert [job["name"] for job in found] == NAMES
    assert all(job["enabled"] and job["disabledBy"] == [] and "lastRun" not in job for job in found)
    assert not data.exists()


def test_the_service_runs_its_jobs_and_tells_what_they_measured(tmp_path: Path, folder: Path) -> None:
    service = credlink.start(folder, tmp_path / "service.log", EXECUTE_JOBS_ON_START="true")
    try:
        service.sign(corpus()["jpeg-exif"])
        for name in ("proof-cleanup", "health-metrics"):
            wait_for(lambda name=name: [run for run in state(folder, name)["runs"] if run["result"] == "done"])
        done = jobs(folder, "run", "health-metrics")
        assert (done["result"], done["counts"]["proofs_stored"]) == ("done", 1)
        found = metrics(service)
        assert found["job_executions_total", (("job", "proof-cleanup"), ("status", "success"))] == 1
        assert found["job_execution_duration_seconds_count", (("job", "proof-cleanup"),)] == 1
        assert found["job_last_run_success", (("job", "health-metrics"),)] == 1
        assert found["proofs_stored", ()] == found["proofs_created_last_day", ()] == 1
        assert found["proofs_expired_waiting", ()] == 0
        assert found["proof_storage_size_bytes", ()] > 1000
        assert 89 < found["certificate_days_left", ()] < 367
        assert ("dead_letters", ()) not in found, "there is no such queue here"
        last = found["job_last_run_timestamp_seconds", (("job", "health-metrics"),)]
        assert abs(last - datetime.now(UTC).timestamp()) < DEADLINE
    finally:
        assert service.stop() == 0
    runs = jobs(folder, "history", "health-metrics")["runs"]
    assert [run["trigger"] for run in runs[-2:]].count("start") == 1
    assert runs[0]["trigger"] == "command"


def test_a_disabled_job_does_not_run_until_it_is_enabled(folder: Path) -> None:
    assert jobs(folder, "disable", "proof-cleanup") == {"job": "proof-cleanup", "enabled": False}
    told = jobs(folder, "run", "proof-cleanup", status=1)
    assert (told["skipped"], "disable" in told["reason"]) == ("disabled", True)
    assert listed(folder, "proof-cleanup")["enabled"] is False
    assert jobs(folder, "run", "proof-cleanup", "--force")["result"] == "done"
    jobs(folder, "enable", "proof-cleanup")
    assert jobs(folder, "run", "proof-cleanup")["result"] == "done"


def test_the_environment_says_no_as_well(folder: Path) -> None:
    env = {"ENABLE_PROOF_CLEANUP": "false"}
    job = listed(folder, "proof-cleanup", env)
    assert (job["enabled"], job["disabledBy"]) == (False, ["ENABLE_PROOF_CLEANUP is false"])
    assert jobs(folder, "run", "proof-cleanup", status=1, env=env)["skipped"] == "disabled"
    assert listed(folder, "health-metrics", env)["enabled"] is True


def test_a_dry_run_removes_nothing(folder: Path) -> None:
    index = make_orphans(folder, 10)
    told = jobs(folder, "run", "proof-cleanup", "--dry-run")
    assert (told["dryRun"], told["counts"]["orphanLookUpsRemoved"]) == (True, 10)
    assert names_in(index) == 10
    told = jobs(folder, "run", "proof-cleanup")
    assert (told["dryRun"], told["counts"]["orphanLookUpsRemoved"]) == (False, 10)
    assert names_in(index) == 0


def test_an_unknown_job_is_a_usage_error(folder: Path) -> None:
    done = run("jobs", "run", "nonsense", "--data", folder)
    assert done.returncode == 2
    assert all(name in done.stderr.decode() for name in NAMES)


@pytest.mark.parametrize("text", ["{", '{"schema": 1, "mine": true}', '{"schema": 9}'])
def test_a_state_by_hand_is_refused_and_stops_no_other_job(folder: Path, text: str) -> None:
    path = folder / "jobs" / "proof-cleanup.json"
    path.parent.mkdir()
    path.write_text(text)
    told = jobs(folder, "run", "proof-cleanup", status=1)
    assert str(path) in told["reason"]
    assert str(path) in listed(folder, "proof-cleanup")["problem"]
    done = run("jobs", "disable", "proof-cleanup", "--data", folder)
    assert done.returncode == 2 and str(path) in done.stderr.decode()
    assert path.read_text() == text
    assert jobs(folder, "run", "health-metrics")["result"] == "done"


def test_the_work_of_a_killed_process_is_taken_over_by_the_service(tmp_path: Path, folder: Path) -> None:
    index = make_orphans(folder, 20_000)
    command = [binary(), "jobs", "run", "proof-cleanup", "--data", folder]
    victim = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: "progress" in state(folder, "proof-cleanup") or victim.poll() is not None)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, "it was done before it was killed"
    killed = state(folder, "proof-cleanup")
    assert killed["lease"]["token"] == 1 and names_in(index) > 0

    began = time.monotonic()
    service = credlink.start(folder, tmp_path / "service.log", EXECUTE_JOBS_ON_START="true")
    try:
        runs = wait_for(lambda: state(folder, "proof-cleanup")["runs"][:-1], MAX_TAKE_OVER)
        took = time.monotonic() - began
    finally:
        assert service.stop() == 0
    assert [one["result"] for one in reversed(state(folder, "proof-cleanup")["runs"])] == ["interrupted", "done"], runs
    assert took > 15, "a holder that may be alive is waited for"
    assert names_in(index) == 0
    assert "lease" not in state(folder, "proof-cleanup")


def test_two_services_on_one_folder_run_each_job_once(tmp_path: Path, folder: Path) -> None:
    running = [credlink.start(folder, tmp_path / f"service-{number}.log") for number in range(2)]
    try:
        wait_for(lambda: state(folder, "health-metrics")["runs"])
        found = [metrics(service) for service in running]
        assert found[0]["certificate_days_left", ()] == found[1]["certificate_days_left", ()]
        runs = state(folder, "health-metrics")["runs"]
        due = {run["started"][:15] + ("0" if run["started"][15] < "5" else "5") for run in runs}
        assert len(runs) == len(due), runs
    finally:
        assert [service.stop() for service in running] == [0, 0]
