"""Tell other programs over HTTP what became of a study: signed, at least once, never in the way of a delivery.

In: an occasion that a workflow saw, and section ``webhooks`` of the configuration. Out: one POST for each address, as Standard
Webhooks describes it, and a line in the audit trail. A message holds UIDs, states and codes of reasons: no patient, no value.
"""

from node.webhooks.message import compose
from node.webhooks.post import post, read_secret
from node.webhooks.sender import WebhookSender

__all__ = ["WebhookSender", "compose", "post", "read_secret"]
