"""Numbers as they are shown: the same rounding in the SR, in ``measurements.json`` and on the pictures."""

from node.domain.measurement import Measurement, Unit

#: Decimals by unit: a hundredth of a millimetre is below what any reader or model repeats.
_DECIMALS: dict[Unit, int] = {Unit.MM: 2, Unit.MM2: 2, Unit.PERCENT: 2, Unit.RATIO: 4}


def shown(measurement: Measurement | None) -> float | None:
    """Return the value rounded as it is shown everywhere; None if it is withheld or was not measured."""
    if measurement is None or measurement.value is None:
        return None
    return rounded(measurement.value, measurement.unit)


def rounded(value: float, unit: Unit) -> float:
    """Return a number in a unit as it is shown everywhere."""
    return round(value, _DECIMALS[unit]) + 0.0
