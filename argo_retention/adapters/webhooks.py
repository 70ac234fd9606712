"""Posts one short text to a webhook, in the shape that Slack and those that imitate it take."""

import json
from urllib.parse import urlsplit

import urllib3

from argo_retention.errors import ConfigurationError, WebhookError

SECONDS = 5.0
ATTEMPTS = 2


def post_text(url: str, text: str) -> None:
    """POST {"text": ...}. The URL is a secret: messages name its host only.

    Raises:
        ConfigurationError: It is no http(s) URL.
        WebhookError: No answer, or one that is not 2xx.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "The webhook of alerts.webhook_env is not a URL like https://host/path.\n"
            "Write the whole URL into that environment variable."
        )
    retries = urllib3.Retry(total=ATTEMPTS - 1, redirect=0, backoff_factor=0.5)
    try:
        with urllib3.PoolManager(retries=retries, timeout=urllib3.Timeout(total=SECONDS)) as http:
            answer = http.request(
                "POST",
                url,
                body=json.dumps({"text": text}).encode(),
                headers={"Content-Type": "application/json"},
            )
    except urllib3.exceptions.HTTPError as error:
        # The client's own message holds the path, which is the secret.
        raise WebhookError(
            f"The webhook at {parts.hostname} was not reached ({type(error).__name__}).\n"
            "It is tried again at the next tick."
        ) from None
    if answer.status // 100 != 2:
        raise WebhookError(
            f"The webhook at {parts.hostname} answered {answer.status}.\n"
            "It is tried again at the next tick; look whether it still exists."
        )
