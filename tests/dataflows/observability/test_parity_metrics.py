"""dataflows/observability/parity_metrics: a file that is replaced in one step."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.redis.difference import Difference
from connectors.redis.held import NO_GATE, held
from dataflows.observability.parity_metrics import write_parity_metrics
from dataflows.parity.measure import Parity, Standing
from state.errors import SinkError
from tacit.contract.signals import encode
from tests.support.sample_signals import NOW_MS, signal


def parity() -> Parity:
    return Parity("eu", "live", 3, Difference("live", "replayed"), at_s=1_795_297_433.5)


def read(path: Path) -> dict[tuple[str, str], float]:
    """Return the values by name and last label."""
    families = text_string_to_metric_families(path.read_text())
    return {
        (sample.name, [*sample.labels.values()][-1]): sample.value for family in families for sample in family.samples
    }


def test_file_has_the_result(tmp_path: Path) -> None:
    """Without a comparable signal there is no rate, so that an alert on its absence works."""
    found, path = parity(), tmp_path / "tacit.prom"
    write_parity_metrics(found, path)
    assert not [name for name, _ in read(path) if name == "tacit_parity_rate"]
    user = held({b"length": encode(signal("concise", NOW_MS))})
    found.difference.add(user, user, NO_GATE)
    found.users[Standing.COMPARED] = 1
    write_parity_metrics(found, path)
    values = read(path)
    assert values["tacit_parity_rate", "eu"] == 1
    assert values["tacit_parity_signals", "same"] == 1
    assert values["tacit_parity_users", "compared"] == 1
    assert values["tacit_parity_users", "newer"] == 0
    assert values["tacit_parity_timestamp_seconds", "eu"] == 1_795_297_433.5
    assert [path.name for path in tmp_path.iterdir()] == ["tacit.prom"]


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written: No such file or directory; name a file in a folder"):
        write_parity_metrics(parity(), tmp_path / "missing" / "tacit.prom")
