"""Where the archive's database is and who connects to it; the password is never shown."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from argo_retention.errors import ConfigurationError

SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTarget:
    """A PostgreSQL database and its user."""

    host: str
    port: int
    database: str
    user: str
    password: SecretStr
    sslmode: str = "prefer"  # libpq's words

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `postgresql://user:password@host:port/database?sslmode=...`.

        Raises ConfigurationError, which does not repeat the URL, because it holds the password.
        """
        expected = "expected postgresql://user:password@host:port/database?sslmode=..."
        try:
            parts = urlsplit(url)
            port = parts.port or 5432
        except ValueError as error:
            raise ConfigurationError(f"The database URL cannot be read; {expected}") from error
        if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
            raise ConfigurationError(f"The database URL names no PostgreSQL host; {expected}")
        options = parse_qs(parts.query)
        unknown = sorted(options.keys() - {"sslmode"})
        if unknown:
            raise ConfigurationError(
                f"The database URL has options that are not read: {', '.join(unknown)}; {expected}"
            )
        sslmode = options.get("sslmode", ["prefer"])[0]
        if sslmode not in SSL_MODES:
            raise ConfigurationError(
                f"The database URL says sslmode={sslmode}; expected one of {', '.join(sorted(SSL_MODES))}"
            )
        user = unquote(parts.username or "")
        return cls(
            host=parts.hostname,
            port=port,
            database=unquote(parts.path.removeprefix("/")) or user,
            user=user,
            password=SecretStr(unquote(parts.password or "")),
            sslmode=sslmode,
        )

    def __str__(self) -> str:
        """user@host:port/database, for messages."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"
