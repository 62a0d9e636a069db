"""Divide people into folds of a cross-validation, or into training, validation and test; prints options of ``train_*.py``.

::

    python -m tools.training.split anna bert carl dora --folds 4
    python -m tools.training.split --people people.txt --shares 8 1 1
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from tools.training.real import person_of


def folds(people: Sequence[str], count: int, seed: int = 0) -> list[list[str]]:
    """Return the people of each fold: everybody in one, all as large as each other or one larger.

    Raises
    ------
    ValueError
        If there are fewer people than folds.
    """
    shuffled = _shuffled(people, seed)
    if not 2 <= count <= len(shuffled):
        raise ValueError(f"{len(shuffled)} people cannot be divided into {count} folds; give 2 to {len(shuffled)}")
    return [shuffled[start::count] for start in range(count)]


def shares(people: Sequence[str], parts: tuple[float, float, float], seed: int = 0) -> tuple[list[str], list[str], list[str]]:
    """Return the people to train on, to validate on and to test on, in shares such as 8, 1 and 1; nobody is in two.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    shuffled = _shuffled(people, seed)
    borders = np.round(np.cumsum(parts)[:2] / sum(parts) * len(shuffled)).astype(int)
    train, validate, test = shuffled[: borders[0]], shuffled[borders[0] : borders[1]], shuffled[borders[1] :]
    if not (train and validate and test):
        raise ValueError(f"{len(shuffled)} people are too few for the shares {':'.join(f'{one:g}' for one in parts)}")
    return train, validate, test


def _shuffled(people: Sequence[str], seed: int) -> list[str]:
    """Return the people in an order that the seed decides, whatever the order they were named in; sessions of one are one."""
    names = sorted({person_of(one) for one in people})
    return [names[i] for i in np.random.default_rng(seed).permutation(len(names))]


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--people", "people_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File, a name a line."
)
@click.option("--folds", "count", type=int, help="Number of folds of a cross-validation.")
@click.option("--shares", "parts", type=(float, float, float), help="Training, validation and test, such as 8 1 1.")
@click.option("--seed", default=0, show_default=True)
def main(
    names: tuple[str, ...], people_path: Path | None, count: int | None, parts: tuple[float, float, float] | None, seed: int
) -> None:
    """Print the options of one training a line."""
    listed = people_path.read_text(encoding="utf-8").split() if people_path else []
    try:
        if count is not None:
            lines = [_options("--hold-out", fold) for fold in folds([*names, *listed], count, seed)]
        elif parts is not None:
            _, validate, test = shares([*names, *listed], parts, seed)
            lines = [f"{_options('--hold-out', validate)} {_options('--test', test)}"]
        else:
            raise click.UsageError("give --folds or --shares")
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(lines))


def _options(option: str, people: Sequence[str]) -> str:
    return " ".join(f"{option} {person}" for person in people)


if __name__ == "__main__":
    main()
