"""Which configurations this machine can run, and how etcd writes them down.

A configuration here is no voter at all (before the first entry was applied) or this
node alone. Everything else needs replication and is refused, as soon as it is asked
for rather than when it is committed.
"""

from typing import Final

from miniet.raft.errors import UnsupportedConfigurationError
from miniet.raft.messages import NO_NODE, ConfChange, ConfChangeType, ConfState

_TYPE_NAMES: Final = {
    ConfChangeType.ADD_NODE: "ConfChangeAddNode",
    ConfChangeType.REMOVE_NODE: "ConfChangeRemoveNode",
    ConfChangeType.UPDATE_NODE: "ConfChangeUpdateNode",
    ConfChangeType.ADD_LEARNER_NODE: "ConfChangeAddLearnerNode",
}


def check_supported(node_id: int, conf_state: ConfState) -> None:
    """Refuse what cannot be run.

    Raises:
        UnsupportedConfigurationError: there are others than this node.
    """
    if conf_state not in (ConfState(), ConfState(voters=(node_id,))):
        raise UnsupportedConfigurationError(node_id, conf_state)


def changed(node_id: int, conf_state: ConfState, change: ConfChange) -> ConfState:
    """Return the configuration after `change`.

    Node id 0 is a change that the application has turned down: nothing happens.

    Raises:
        UnsupportedConfigurationError: the new configuration cannot be run.
    """
    target = change.node_id
    if target == NO_NODE or change.type is ConfChangeType.UPDATE_NODE:
        return conf_state
    voters = set(conf_state.voters) - {target}
    learners = set(conf_state.learners) - {target}
    if change.type is ConfChangeType.ADD_NODE:
        voters.add(target)
    elif change.type is ConfChangeType.ADD_LEARNER_NODE:
        learners.add(target)
    result = ConfState(tuple(sorted(voters)), tuple(sorted(learners)))
    check_supported(node_id, result)
    if not voters:
        # etcd's raft refuses to remove the last voter as well.
        raise UnsupportedConfigurationError(node_id, result)
    return result


def describe_configuration(conf_state: ConfState) -> str:
    """Write a configuration as etcd's log lines do."""
    return f"voters=({' '.join(f'{node_id:x}' for node_id in conf_state.voters)})"


def describe_change(change: ConfChange) -> str:
    """Write a membership change as etcd's log lines do, its context left out."""
    return (
        "transition:ConfChangeTransitionAuto"
        f" changes:{{type:{_TYPE_NAMES[change.type]} node_id:{change.node_id}}}"
    )
