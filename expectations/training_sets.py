"""A training set, the newest version alone: what models learn from and are judged by."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from expectations import standard
from expectations.expectation import Expectation, Figures, Suite
from expectations.judgement import between, equal

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from expectations.data import Data

_KINDS = ("normal", "spike", "drift", "stuck", "noise", "reported")
_LEARNED_FROM, _TEST = ("train", "validation"), ("test",)
_PARTS = (*_LEARNED_FROM, *_TEST)
_NEEDS = ("part", "abnormal", "device_id")


def _parts(*names: str) -> "Callable[[Data], Figures]":
    """One row for each part of `names`: readings, those that are abnormal, their share, devices."""

    def figures(data: "Data") -> Figures:
        import pyarrow as pa  # noqa: PLC0415  definitions load without Arrow
        import pyarrow.compute as pc  # noqa: PLC0415

        counts = {name: [0, 0, set()] for name in names}
        for piece in data.read(_NEEDS):
            for name, found in counts.items():
                rows = piece.filter(pc.equal(piece["part"], name))
                found[0] += rows.num_rows
                found[1] += int(pc.sum(pc.cast(rows["abnormal"], pa.int64())).as_py() or 0)
                found[2] |= set(rows["device_id"].unique().to_pylist())
        rows = [
            {
                "part": name,
                "readings": total,
                "abnormal": wrong,
                "share": wrong / max(total, 1),
                "devices": len(devices),
            }
            for name, (total, wrong, devices) in counts.items()
        ]
        return Figures(pa.Table.from_pylist(rows), sum(row["readings"] for row in rows))

    return figures


def _by_kind(piece: "pa.Table") -> "Mapping[str, pa.Array]":
    """Is a reading abnormal, by its label and by its kind?"""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    return {
        "by_label": pc.cast(piece["abnormal"], pa.int64()),
        "by_kind": pc.cast(pc.not_equal(piece["kind"], "normal"), pa.int64()),
    }


SUITE = Suite(
    "training_sets",
    ("version", "part", "device_id", "metric", "event_time", "value", "kind"),
    (
        standard.schema(),
        standard.present("training_reading"),
        standard.finite("training_reading"),
        standard.unique("version", "device_id", "metric", "event_time"),
        standard.known_values("known_parts", "part", _PARTS, blocking=True),
        standard.known_values("known_kinds", "kind", _KINDS, blocking=True),
        Expectation(
            "label_is_that_of_its_kind",
            "A reading is abnormal where its kind is not normal, and only there.",
            equal("by_label", "by_kind"),
            blocking=True,
            needs=("abnormal", "kind"),
            derive=_by_kind,
        ),
        Expectation(
            "every_part_is_there",
            "Each part has 500 readings at least; examined and offenders are parts.",
            between("readings", low=500),
            blocking=True,
            needs=_NEEDS,
            figures=_parts(*_PARTS),
        ),
        Expectation(
            "only_normal_to_learn_from",
            "No reading of train and validation is abnormal.",
            between("abnormal", high=0),
            blocking=True,
            needs=_NEEDS,
            figures=_parts(*_LEARNED_FROM),
            weight="abnormal",
        ),
        Expectation(
            "something_to_find",
            "Of the test, between 0.05 % and half is abnormal.",
            between("share", 0.0005, 0.5),
            blocking=True,
            needs=_NEEDS,
            figures=_parts(*_TEST),
            observed="share",
        ),
        Expectation(
            "enough_devices",
            "The test has 5 devices at least: whole devices are drawn to tell luck from skill.",
            between("devices", low=5),
            blocking=True,
            needs=_NEEDS,
            figures=_parts(*_TEST),
            observed="devices",
        ),
    ),
)
