import pytest
from click.testing import CliRunner

from tools.training.split import folds, main, shares

PEOPLE = [f"p{k:02d}" for k in range(20)]


def test_everybody_is_in_one_fold():
    divided = folds(PEOPLE, 5)
    assert sorted(one for fold in divided for one in fold) == PEOPLE
    assert [len(one) for one in divided] == [4] * 5


def test_eight_to_one_to_one_leaves_nobody_out_and_nobody_twice():
    train, validate, test = shares(PEOPLE, (8, 1, 1))
    assert [len(one) for one in (train, validate, test)] == [16, 2, 2]
    assert sorted(train + validate + test) == PEOPLE


def test_two_sessions_of_one_person_stay_together():
    divided = folds(["annaSes1", "bert", "annaSes2"], 2)
    assert sorted(one for fold in divided for one in fold) == ["anna", "bert"]


def test_the_order_of_the_names_does_not_matter_and_the_seed_does():
    assert folds(PEOPLE, 5) == folds(PEOPLE[::-1], 5)
    assert folds(PEOPLE, 5) != folds(PEOPLE, 5, seed=1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["a", "b", "--folds", "3"], "cannot be divided"),
        (["a", "b", "--shares", "8", "1", "1"], "too few"),
        (["a"], "give --folds"),
    ],
)
def test_what_cannot_be_divided_is_refused(options, complaint):
    result = CliRunner().invoke(main, options)
    assert result.exit_code != 0
    assert complaint in result.output


def test_lines_are_options_of_the_training():
    result = CliRunner().invoke(main, ["a", "b", "c", "--folds", "3"])
    assert sorted(result.output.split()) == ["--hold-out"] * 3 + ["a", "b", "c"]
