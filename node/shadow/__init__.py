"""A second set of models on live studies: measured after the first results were delivered, compared, never sent.

The second set runs as ``cspine-node analyze`` in a process of its own, with the lowest priority: it takes no memory between
studies, and whatever becomes of it, the worker goes on. What stays is its ``measurements.json`` and the overlap of the masks.
"""

from node.shadow.record import Overlap, ShadowReport, read_shadow
from node.shadow.runner import ShadowRunner

__all__ = ["Overlap", "ShadowReport", "ShadowRunner", "read_shadow"]
