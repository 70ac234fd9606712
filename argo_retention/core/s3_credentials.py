"""Keys of an S3 account, as Argo's Secrets hold them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Credentials:
    """Keys that never expire by themselves; the repr shows none of them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
