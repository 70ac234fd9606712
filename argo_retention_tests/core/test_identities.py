import pytest

from argo_retention.core.identities import Identity, identify
from argo_retention.core.manifests import decode
from argo_retention.errors import ManifestError

METADATA = b'"metadata":{"labels":{},"uid":"u-1","namespace":"ci","name":"one","annotations":null}'


def test_who_it_is_is_read_wherever_it_stands_and_the_rest_is_skipped() -> None:
    expected = Identity(uid="u-1", namespace="ci", name="one")

    assert identify(b"{" + METADATA + b',"spec":{"a":[1.5,"\xff"]}}') == expected
    assert identify(b'{"spec":{"metadata":{"uid":"another"}},' + METADATA + b"}") == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"metadata":null}',
        b'{"metadata":{"uid":"u-1","name":"one"}}',
        b'{"metadata":{"uid":7,"namespace":"ci","name":"one"}}',
        b'{"metadata":{"uid":"\xff","namespace":"ci","name":"one"}}',
        b"{" + METADATA + b',"spec":{',
    ],
)
def test_what_does_not_say_who_it_is_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError, match="does not say which one it is"):
        identify(data)


def test_what_is_nested_too_deeply_is_refused_and_not_a_crash() -> None:
    deep = b"{" + METADATA + b',"spec":' + b"[" * 5000 + b"]" * 5000 + b"}"

    for read in (identify, decode):
        with pytest.raises(ManifestError, match="recursion"):
            read(deep)
