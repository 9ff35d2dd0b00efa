"""Settings are checked when they are made, and classes are read as they are typed."""

import pytest

from solvable.errors import OutsideDomain
from solvable.forecasting import MODELS, Settings, read_classes


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("model", "tanh", "`model` is 'tanh'; it must be one of 'linear', 'relu'"),
        ("width", 0, "`width` is 0; it must be a whole number of at least 1"),
        ("width", -5, "`width` is -5"),
        ("width", 10.5, "`width` is 10.5"),
        ("init_scale", 0.0, "`init_scale` is 0.0.*start at exactly 0 never move"),
        ("init_scale", -1e-3, "`init_scale` is -0.001"),
        ("init_scale", float("nan"), "`init_scale` is nan"),
        ("learning_rate", -0.1, "`learning_rate` is -0.1; it must be a finite number above 0"),
        ("learning_rate", float("inf"), "`learning_rate` is inf"),
        ("steps", 9, "`steps` is 9; it must be a whole number of at least 10"),
        ("batch_size", 0, "`batch_size` is 0"),
        ("seeds", 0, "`seeds` is 0"),
        ("seed", -1, "`seed` is -1; it must be a whole number of at least 0"),
    ],
)
def test_a_value_without_meaning_is_refused_by_name(name, value, words):
    with pytest.raises(OutsideDomain, match=words):
        Settings(**{name: value})


def test_the_defaults_are_the_papers_setting():
    settings = Settings()
    # Rate 0.01 without the 1/2 is 0.02 with it.
    assert (settings.model, settings.init_scale, settings.learning_rate) == ("linear", 1e-6, 0.02)
    assert settings.model in MODELS
    assert settings.steps is settings.batch_size is None


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (None, None),
        ("3,5", (3, 5)),
        (" 3 , -5", (3, -5)),
        ("cat, dog", ("cat", "dog")),
        ("3,dog", ("3", "dog")),
        ("7", (7,)),
    ],
)
def test_classes_are_numbers_where_all_look_like_it(text, labels):
    assert read_classes(text) == labels


@pytest.mark.parametrize("text", ["", ",", "3,", "3,,5"])
def test_an_empty_label_is_refused(text):
    with pytest.raises(OutsideDomain, match="empty label; write labels with commas"):
        read_classes(text)
