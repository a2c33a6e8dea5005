"""Labelled readings of a simulated fleet: the fleet that sends, with the faults that the truth file names."""

import numpy as np

from edge import labelled
from edge.simulator import Simulator
from edge.truth import rows

START = 1_795_000_000_000_000


def made(**changes):
    given = {"anomaly_rate": 0.5, "seed": 3, "start": START} | changes
    return labelled.readings(40, 1200, **given)


def test_they_are_what_the_simulator_sends_with_its_own_truth_about_them():
    found = made(quiet_share=0.0)
    run = Simulator(40, 0.5, 3, START, seconds=1200)
    told = {}
    for window in (0, 1):
        for device, _, kind, _, _, readings, _ in rows(run, window):
            told[device, kind] = told.get((device, kind), 0) + readings
    names = found.kind_names
    counted = {
        (found.devices[series], kind): int(((found.series == series) & (names == kind)).sum())
        for series in range(40)
        for kind in set(names[found.series == series]) - {labelled.NORMAL}
    }
    assert counted == told
    assert set(names) == set(labelled.KINDS)
    assert len(found.value) == 40 * 1200


def test_the_first_part_is_quiet_and_the_rest_is_not_changed_by_that():
    quiet, faulty = made(quiet_share=0.5), made(quiet_share=0.0)
    early = quiet.time < START + 600 * 1_000_000
    assert set(quiet.kind_names[early]) == {labelled.NORMAL}
    assert (quiet.value[~early] == faulty.value[~early]).all()
    normal = faulty.kind_names == labelled.NORMAL
    assert (quiet.value[normal] == faulty.value[normal]).all()


def test_the_same_arguments_give_the_same_readings_and_another_interval_fewer():
    one, other = made(), made()
    assert (one.value == other.value).all()
    assert (one.kind == other.kind).all()
    slow = made(interval_seconds=10)
    assert len(slow.value) == 40 * 120
    assert np.diff(slow.time[slow.series == 7]).tolist() == [10_000_000] * 119
