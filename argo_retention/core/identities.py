"""Which Workflow a full object is, read without decoding the rest of it."""

import msgspec

from argo_retention.errors import ManifestError


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """uid, namespace and name of a Workflow; names are used again, uids are not."""

    uid: str
    namespace: str
    name: str


class _Identified(msgspec.Struct):
    metadata: Identity


_decoder = msgspec.json.Decoder(_Identified)


def identify(data: bytes) -> Identity:
    """Read who this is; ManifestError when the object does not say, or is no JSON."""
    try:
        return _decoder.decode(data).metadata
    # RecursionError: nested deeper than Python can follow, which Go can.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"a Workflow's JSON does not say which one it is: {error}") from error
