"""The listening socket: who is not to connect is turned away before anything of it is read."""

import logging
import threading
from typing import Any

from pynetdicom import AE
from pynetdicom.transport import ThreadedAssociationServer

from node.reception.admission import PeerLimits

_log = logging.getLogger(__name__)

# Connections that wait to be accepted; beyond pynetdicom's 5 a peer has to try again after a second.
_BACKLOG = 128


class GuardedServer(ThreadedAssociationServer):
    """Takes connections within the limits of peers, and gives each its own association."""

    request_queue_size = _BACKLOG

    def __init__(self, *arguments: Any, limits: PeerLimits, **named: Any) -> None:  # noqa: ANN401 - those of pynetdicom
        self._limits = limits
        super().__init__(*arguments, **named)

    def verify_request(self, _request: object, client_address: Any) -> bool:  # noqa: ANN401 - of socketserver
        """Return whether the connection is taken; socketserver closes it otherwise."""
        address = str(client_address[0])
        others = [str(association.requestor.address) for association in self.active_associations]
        if self._limits.may_connect(address, others):
            return True
        _log.warning("connection closed: too many from there, or from strangers", extra={"address": address})
        return False


def start_server(entity: AE, address: tuple[str, int], limits: PeerLimits, **named: Any) -> GuardedServer:  # noqa: ANN401
    """Listen in a thread of its own, as ``AE.start_server`` does with pynetdicom's own server."""
    server = entity.make_server(address, server_class=GuardedServer, limits=limits, **named)
    assert isinstance(server, GuardedServer)  # noqa: S101 - that class was asked for
    thread = threading.Thread(target=server.serve_forever, name="DICOM server", daemon=True)
    thread.start()
    entity._servers.append(server)
    return server
