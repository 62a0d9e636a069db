"""The peer that a command is told to talk to."""

from collections.abc import Sequence
from typing import TypeVar

from node.config import PeerConfig
from node.domain.errors import ConfigError, Reason

Peer = TypeVar("Peer", bound=PeerConfig)


def peer_named(name: str, peers: Sequence[Peer], kind: str) -> Peer:
    """Return a configured peer; ``kind`` is what its section calls one.

    Raises
    ------
    ConfigError
        ``config_invalid`` if none has the name; it says which there are.
    """
    known = {peer.name: peer for peer in peers}
    if name not in known:
        listed = ", ".join(known) or "none"
        what = f"there is no {kind} {name!r}; configured: {listed} (see {kind}s in config.yaml)"
        raise ConfigError(Reason.CONFIG_INVALID, what)
    return known[name]
