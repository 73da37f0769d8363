import pytest

from miniet.memory.components import COUNTERPARTS, Component, GoComponent
from miniet.predict import PROFILES, profile_of


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("3.4.9", "3.4.9"),
        ("3.4.23", "3.4"),
        ("v3.5.1", "3.5"),
        ("etcd 3.6.14", "3.6"),
        ("3.6", "3.6"),
    ],
)
def test_version_finds_its_profile(version: str, name: str) -> None:
    assert profile_of(version).name == name


def test_unknown_version_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'3.3.1': use 3.4.9, 3.4, 3.5, 3.6"):
        profile_of("3.3.1")


def test_only_what_was_measured_says_so() -> None:
    measured = {name for name, profile in PROFILES.items() if profile.is_measured}
    assert measured == {"3.4", "3.5"}


def test_every_component_has_its_counterpart() -> None:
    assert set(COUNTERPARTS) == set(Component)
    beside = {go for found in COUNTERPARTS.values() for go in found}
    assert set(GoComponent) - beside == {GoComponent.FIXED}


def test_labels_fit_a_table() -> None:
    assert all(len(key.label) <= 20 for key in GoComponent)
