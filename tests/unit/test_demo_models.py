"""What a demo says of its models: never more than was seen."""

from dataclasses import replace

import pytest

from sensorlake.demo import models
from sensorlake.demo.dagster_runs import Run
from sensorlake.demo.models import Model, State

NOW = 1000.0
TRAINED = State(
    run=Run("0123456789", "SUCCESS", began=900.0, ended=942.4),
    by_name={"isolation_forest": Model(1, pr_auc=0.724), "lstm_autoencoder": Model(1, challenger=2, pr_auc=0.61)},
    serves={"isolation_forest": 1, "lstm_autoencoder": 1},
    answer_ms=12.34,
)


def test_trained_models_are_shown_with_their_figures_and_that_they_are_served():
    lines = models.told(TRAINED, NOW)
    assert lines == [
        "trained in 42 s",
        "isolation_forest version 1, PR-AUC 0.72",
        "lstm_autoencoder version 1, PR-AUC 0.61, 2 in shadow",
        "server: version 1, 64 sequences in 12.3 ms",
    ]
    assert models.summed_up(TRAINED, NOW) == lines
    assert all(len(line) <= 52 for line in lines)


@pytest.mark.parametrize(
    ("state", "shown", "at_the_end"),
    [
        (State(), "trained when Dagster is up", "not trained: Dagster was not up in time"),
        (State(dagster=True), "trained once thresholds", "not trained: Dagster was to learn"),
        (State(run=Run("a", "QUEUED")), "queue", "not trained when the demo ended: training is in Dagster's queue"),
        (
            State(run=Run("a", "STARTED", "lstm_autoencoder", began=970.0)),
            "in training for 30 s: lstm_autoencoder",
            "not trained when the demo ended: in training for 30 s: lstm_autoencoder",
        ),
        (
            State(run=Run("0123456789", "FAILURE", began=970.0)),
            "training failure: see run 01234567",
            "training failure",
        ),
        (State(refused="no such job"), "no such job", "no such job"),
    ],
)
def test_what_did_not_come_to_its_end_is_said(state: State, shown: str, at_the_end: str):
    assert shown in models.told(state, NOW)[0]
    assert models.summed_up(state, NOW)[0].startswith(at_the_end)


def test_a_server_that_has_not_answered_is_not_spoken_of():
    assert not any("server" in line for line in models.told(replace(TRAINED, answer_ms=None), NOW))


def test_programs_get_the_same():
    found = models.document(TRAINED)
    assert (found["training"], found["training_s"], found["answer_ms"]) == ("SUCCESS", 42.4, 12.3)
    assert found["in_force"]["lstm_autoencoder"] == {"champion": 1, "challenger": 2, "pr_auc": 0.61}
    assert models.document(State())["training"] == "NOT_ASKED"
    assert models.document(None) is None
