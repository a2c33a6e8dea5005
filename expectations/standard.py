"""Expectations that most tables share, worded for the record that the table holds."""

from expectations import columns, figures, repeated, series
from expectations.expectation import Expectation, Severity
from expectations.judgement import absent, at_most, between, equal, matching, one_of


def schema() -> Expectation:
    return Expectation(
        "schema",
        "The columns and their types are those of the record in contracts/schemas.",
        equal("wanted", "found"),
        blocking=True,
        figures=figures.columns,
    )


def present(record: str) -> Expectation:
    names = columns.required(record)
    return Expectation(
        "nothing_missing",
        f"No row lacks one of: {', '.join(names)}.",
        absent("missing"),
        blocking=True,
        needs=names,
        derive=columns.missing(names),
    )


def finite(record: str, *, severity: Severity = Severity.ERROR, blocking: bool = True) -> Expectation:
    names = columns.doubles(record)
    return Expectation(
        "finite",
        f"No figure is NaN or infinite: {', '.join(names)}.",
        absent("not_finite"),
        severity,
        blocking,
        needs=names,
        derive=columns.not_finite(names),
    )


def unique(*keys: str, severity: Severity = Severity.ERROR, blocking: bool = True) -> Expectation:
    return Expectation(
        "unique",
        f"No two rows have the same {', '.join(keys)}; a row after the first is an offender.",
        between("copies", high=1),
        severity,
        blocking and severity is Severity.ERROR,
        needs=keys,
        figures=repeated.keys(*keys),
        weight="surplus",
    )


def in_its_day(column: str) -> Expectation:
    return Expectation(
        "in_its_day",
        f"The UTC day of {column} is that of the partition.",
        equal("day", "partition_day"),
        needs=(column, "event_date"),
        derive=columns.day_of(column),
    )


def registered() -> Expectation:
    return Expectation(
        "registered",
        "Every device stands in the registry; examined and offenders are devices.",
        one_of("registered", [True]),
        Severity.WARNING,
        needs=("device_id",),
        figures=series.devices,
    )


def possible_values() -> tuple[Expectation, ...]:
    """What a value can be at all, by metric, and its unit."""
    needs = ("metric", "value", "unit")
    return (
        Expectation(
            "not_impossibly_low",
            "No value is below what its metric can be in its unit (expectations/possible.py).",
            at_most("least", "value"),
            Severity.WARNING,
            needs=needs,
            derive=columns.of_metric,
        ),
        Expectation(
            "not_impossibly_high",
            "No value is above what its metric can be in its unit (expectations/possible.py).",
            at_most("value", "most"),
            Severity.WARNING,
            needs=needs,
            derive=columns.of_metric,
        ),
        Expectation(
            "unit_of_rule",
            "A unit is that of the metric's rule in contracts/limits.json; a message may leave it out.",
            equal("unit", "unit_of_rule"),
            Severity.WARNING,
            needs=needs,
            derive=columns.of_metric,
        ),
        Expectation(
            "unit_unchanged",
            "A device sends a metric in one unit all day; examined and offenders are pairs of device and metric.",
            between("different", high=1),
            Severity.WARNING,
            needs=("device_id", "metric", "unit"),
            figures=series.units,
        ),
    )


def fresh(column: str, minutes: float, severity: Severity = Severity.WARNING) -> Expectation:
    return Expectation(
        "fresh",
        f"The newest {column} is {minutes:g} minutes old at most; days that are over are not judged.",
        between("minutes", high=minutes),
        severity,
        needs=(column,),
        figures=figures.age(column),
        observed="minutes",
    )


def usual_volume(least: float = 0.5, most: float = 2.0) -> Expectation:
    return Expectation(
        "usual_volume",
        f"Between {least:g} and {most:g} times as many rows as the median of the days before; today by how much of "
        "it is over. A first day is not judged.",
        between("ratio", least, most),
        Severity.WARNING,
        figures=figures.volume,
        observed="ratio",
    )


def known_values(name: str, column: str, values: tuple[str, ...], *, blocking: bool = False) -> Expectation:
    return Expectation(
        name, f"{column} is one of: {', '.join(values)}.", one_of(column, values), blocking=blocking, needs=(column,)
    )


def pattern(name: str, column: str, regex: str, severity: Severity = Severity.ERROR) -> Expectation:
    return Expectation(name, f"{column} looks like {regex}", matching(column, regex), severity, needs=(column,))


def bounds(
    column: str,
    low: float | None = None,
    high: float | None = None,
    *,
    above: bool = False,
    severity: Severity = Severity.ERROR,
    blocking: bool = False,
) -> Expectation:
    """`above`: `low` itself is too low."""
    said = [f"{'more than' if above else 'at least'} {low:g}"] if low is not None else []
    said += [f"at most {high:g}"] if high is not None else []
    return Expectation(
        f"{column}_bounds",
        f"{column} is {' and '.join(said)}, or null.",
        between(column, low, high, above=above),
        severity,
        blocking,
        needs=(column,),
    )


def ordered(
    smaller: str, larger: str, *, less: bool = False, severity: Severity = Severity.ERROR, blocking: bool = False
) -> Expectation:
    return Expectation(
        f"{smaller}_{'below' if less else 'not_above'}_{larger}",
        f"{smaller} is {'less than' if less else 'at most'} {larger}, where a row has both.",
        at_most(smaller, larger, less=less),
        severity,
        blocking,
        needs=(smaller, larger),
    )
