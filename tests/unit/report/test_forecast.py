from dataclasses import replace

import pytest

from miniet.memory.components import GoComponent
from miniet.memory.counts import Counts
from miniet.predict import Band, Prediction
from miniet.report import text
from miniet.report.forecast import Forecast, dominant, forecast_page, remainder

MIB = 2**20


def band(mib: float) -> Band:
    return Band(round(0.5 * mib * MIB), round(mib * MIB), round(2 * mib * MIB))


def forecast(largest: GoComponent, mib: float = 100) -> Forecast:
    parts = {key: band(1) for key in GoComponent} | {largest: band(mib)}
    return Forecast(
        name="loaded",
        counts=Counts(raft_entry_count=2, raft_payload_bytes=3 * MIB, key_count=1),
        prediction=Prediction(
            profile="3.4",
            components=parts,
            live_heap=sum(parts.values(), Band(0, 0, 0)),
            heap_in_use=band(150),
            mapped=band(10),
            resident=band(300),
        ),
    )


@pytest.mark.parametrize("key", GoComponent)
def test_component_that_dominates_is_named_and_explained(key: GoComponent) -> None:
    said = dominant(forecast(key))
    assert said.startswith(
        f"Loaded: most of the live heap is {key.label}, 100.0 MiB or 93%. "
    )
    assert said.endswith(".")


def test_raft_log_is_explained_by_its_counts() -> None:
    said = dominant(forecast(GoComponent.RAFT))
    assert "2 entries of 1.5 MiB on average" in said
    assert "--snapshot-count" in said


def test_what_is_not_live_is_named() -> None:
    assert remainder(forecast(GoComponent.RAFT)) == (
        "RSS is likely 300.0 MiB, between 150.0 MiB and 600.0 MiB: 108.0 MiB live, "
        "10.0 MiB mapped pages of the file, and 182.0 MiB of garbage, freed heap not "
        "given back, stacks and the program."
    )


def test_small_components_are_summed_up_and_none_is_lost() -> None:
    page = text.write(forecast_page("title", [forecast(GoComponent.RAFT, 1000)]))
    table = page.partition("The process")[0]
    assert "raft log" in table
    assert "leases" not in table
    row = next(line for line in table.splitlines() if line.startswith("loaded"))
    *cells, total = (float(cell.replace(",", "")) for cell in row.split()[1:])
    assert sum(cells) == pytest.approx(total)


def test_notes_of_the_prediction_are_passed_on() -> None:
    one = forecast(GoComponent.RAFT)
    noted = replace(one, prediction=replace(one.prediction, notes=("not measured",)))
    assert "Note: not measured" in text.write(forecast_page("title", [noted]))
