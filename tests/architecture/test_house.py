"""miniet keeps the rules of its house; a failure names file, line and rule."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.sources import ROOT, read_tree

RULES: list[Callable[[rules.Modules], Iterator[str]]] = [
    rules.foreign_imports,
    rules.forbidden_libraries,
    rules.opened_files,
    rules.imports_in_functions,
    rules.import_cycles,
    rules.prints,
    rules.unslotted_records,
    rules.long_modules,
    rules.long_functions,
    rules.waits_in_handlers,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_keeps_the_rule(
    rule: Callable[[rules.Modules], Iterator[str]],
) -> None:
    breaches = list(rule(read_tree()))
    if breaches:
        pytest.fail("\n".join(breaches), pytrace=False)


def test_every_package_has_its_row_in_the_table() -> None:
    packages = {module.package for module in read_tree().values()}
    assert packages - rules.COMMANDS - set(rules.MAY_IMPORT) == set()


def test_what_is_to_be_compiled_is_there() -> None:
    """A package that is named wrongly would be left interpreted without a word."""
    for package in rules.COMPILED_PACKAGES:
        assert (ROOT / "miniet" / package / "__init__.py").is_file(), package
    for module in rules.COMPILED_MODULES:
        assert (ROOT / module).is_file(), module
