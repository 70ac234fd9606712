"""TLS: a certificate that is exchanged for an expired one in the middle of a run stops it, and says so."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention_tests.wire.conftest import WiredWorld
from argo_retention_tests.wire.http_wire import HttpFault, HttpWire, kubernetes_refusal
from argo_retention_tests.wire.test_rounds import finished
from argo_retention_tests.wire.world import Wires


def context_of(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def trust(wires: Wires, url: str, authority: Path) -> None:
    path = write_kubeconfig(
        wires.world.kubeconfig,
        url=url,
        token=wires.world.scene.token,
        cluster=wires.world.scene.name,
        namespace=NAMESPACE,
    )
    text = path.read_text().replace(
        f"server: {url}", f"server: {url}\n    certificate-authority: {authority}"
    )
    path.write_text(text)


def test_p2_a_certificate_that_expires_in_the_middle_stops_the_run_before_it_deletes(
    wired: WiredWorld, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    good = context_of(authority.issue_cert("localhost"))
    expired = context_of(
        authority.issue_cert(
            "localhost",
            not_before=datetime.now(tz=UTC) - timedelta(days=2),
            not_after=datetime.now(tz=UTC) - timedelta(days=1),
        )
    )
    wires = wired(hello_worlds=8, keep_count=2, retention={"mode": "apply", "proof_age": 0})
    with HttpWire(wires.world.url, refusal=kubernetes_refusal, tls=good) as api:
        trust(wires, api.url, tmp_path / "ca.crt")
        # The DELETE is answered by a cut, and whoever connects from then on meets the other certificate.
        api.faults.append(HttpFault(kind="reset", method="DELETE", times=100))
        original = api.fault_for

        def exchanged(method: str, target: str) -> HttpFault | None:
            if method == "DELETE":
                api.tls = expired
            return original(method, target)

        api.fault_for = exchanged  # type: ignore[method-assign]
        outcome = wires.world.run(RETENTION_JOB)

        assert outcome.exit_code == 1
        assert "certificate" in str(outcome).lower()
        assert len(wires.world.live()) == 8
        api.fault_for = original  # type: ignore[method-assign]
        api.mend()
        api.tls = good
        finished(wires.world, RETENTION_JOB, wires)
    assert len(wires.world.live()) == 2


def test_an_expired_certificate_is_named(wired: WiredWorld, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    yesterday = datetime.now(tz=UTC) - timedelta(days=1)
    leaf = authority.issue_cert(
        "localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday
    )
    wires = wired(hello_worlds=2, keep_count=1)
    with HttpWire(wires.world.url, refusal=kubernetes_refusal, tls=context_of(leaf)) as api:
        trust(wires, api.url, tmp_path / "ca.crt")

        outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "certificate has expired" in outcome.failure
    assert "Check certificate-authority" in outcome.failure


@pytest.mark.parametrize("name", ["elsewhere.example", "127.0.0.2"])
def test_a_certificate_of_another_host_is_refused(
    wired: WiredWorld, tmp_path: Path, name: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    wires = wired(hello_worlds=2, keep_count=1)
    leaf = context_of(authority.issue_cert(name))
    with HttpWire(wires.world.url, refusal=kubernetes_refusal, tls=leaf) as api:
        trust(wires, api.url, tmp_path / "ca.crt")

        outcome = wires.world.run(RETENTION_JOB)

    assert not outcome.success
    assert "TLS with" in outcome.failure
