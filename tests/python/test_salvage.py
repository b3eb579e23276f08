"""Signed files with random damage: what can be found is found, is labelled as what it is, and never passes for more.

`make salvage` measures the same over 1,000 files; docs/salvage.md has the figures.
"""

import pytest

import credlink
from salvage import DAMAGES, FORMATS, Outcome, cases, outcome

FILES = 3 * len(DAMAGES) * len(FORMATS)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What verification says of a sample."""
    data = tmp_path_factory.mktemp("salvage")
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, data / "service.log")
    found = [outcome(service, case) for case in cases(service, FILES, seed=7)]
    assert service.is_alive()
    assert service.stop() == 0
    return found


def test_the_sample_is_large_enough(outcomes):
    assert len(outcomes) >= 120
    assert {(one.case.format, one.case.damage) for one in outcomes} >= {
        (format, damage) for format in FORMATS for damage in DAMAGES if damage != "store and another part dropped"
    }


def test_nothing_is_called_more_than_it_is(outcomes):
    faults = [(one.case.format, one.case.damage, one.case.seed, fault) for one in outcomes for fault in one.faults()]
    assert not faults


@pytest.mark.parametrize(
    "damage",
    ["zeros in the store", "noise in the store", "header of the store gone", "store behind the end", "store dropped"],
)
def test_damage_to_the_store_alone_never_loses_the_proof(outcomes, damage):
    lost = [
        (one.case.format, one.case.seed, one.report["extraction"])
        for one in outcomes
        if one.case.damage == damage and one.found != "credential" and not one.is_the_right_one
    ]
    assert not lost


def test_a_store_that_is_gone_is_put_back(outcomes):
    stripped = [one for one in outcomes if one.case.damage == "store dropped"]
    refused = [(one.case.format, one.report["status"]) for one in stripped if not one.report["valid"]]
    assert stripped and not refused


def test_a_picture_without_metadata_is_known_by_its_bytes_only(outcomes):
    bare = [one for one in outcomes if one.case.damage == "encoded again, nothing kept"]
    assert {one.report["extraction"]["source"] for one in bare} == {"none"}
    assert all(one.found == "nothing" or one.case.is_known for one in bare)
