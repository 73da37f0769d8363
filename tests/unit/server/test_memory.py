from miniet.server.command_line import read_config
from miniet.server.config import Config
from miniet.server.memory import flags_in_force


def test_flags_can_be_given_to_a_server_as_they_are_told() -> None:
    config = Config(
        profile="3.6",
        quota_backend_bytes=-1,
        backend_batch_interval_s=0.25,
        auto_compaction_retention="1h",
        memory_only=True,
    )
    told = flags_in_force(config, is_durable=False)
    again, warnings = read_config([("profile", "3.6"), *told.items()], {})
    assert flags_in_force(again, is_durable=False) == told
    assert warnings == []


def test_flags_are_those_in_force_under_their_newest_names() -> None:
    told = flags_in_force(Config(profile="3.6"), is_durable=False)
    assert told["snapshot-count"] == "10000"
    assert told["snapshot-catchup-entries"] == "5000"
    assert told["backend-batch-interval"] == "0.1s"
    assert told["memory-only"] == "true"  # asked for or not
    assert "data-dir" not in told
