"""Keys are used and never shown."""

from argo_retention.core.s3_credentials import S3Credentials


def test_p8_keys_are_not_shown() -> None:
    keys = S3Credentials(access_key="ACCESS", secret_key="SECRET", session_token="TOKEN")

    assert (keys.access_key, keys.secret_key, keys.session_token) == ("ACCESS", "SECRET", "TOKEN")
    assert repr(keys) == str(keys) == "S3Credentials()"
