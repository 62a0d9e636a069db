"""The webhooks of a configuration, as the workflows see them."""

from node.config import WebhookConfig
from node.domain.job import Occasion
from node.domain.worklist import Noticed
from node.webhooks.message import compose
from node.webhooks.post import post


class WebhookSender:
    """Composes and posts messages.

    Parameters
    ----------
    node_url
        Where browsers reach our pages.
    """

    def __init__(self, webhooks: tuple[WebhookConfig, ...], node_url: str) -> None:
        self.webhooks = webhooks
        self._node_url = node_url

    def compose(self, occasion: Occasion, found: Noticed) -> str:
        """Return the body of a message."""
        return compose(occasion, found, self._node_url)

    def post(self, webhook: WebhookConfig, event_id: str, body: str, now_s: float) -> None:
        """Tell one; raise TransientError if it did not take the message."""
        post(webhook, event_id, body, now_s)
