"""Whose database the fake archive is, and whether it is paused."""

from collections.abc import Sequence
from dataclasses import replace

from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention.core.ledger import Hold, LeaseGrant, Pause
from argo_retention_tests.fakes.archive_tables import FakeTables


class FakeIdentities(FakeTables):
    def identity(self, *, clustername: str) -> DatabaseIdentity:
        self._meet("identity", {"clustername": clustername})
        found = [each for (name, _), each in sorted(self.bindings.items()) if name == clustername]
        return replace(self.installation, bindings=tuple(map(self._listed, found)))

    def _listed(self, binding: Binding) -> Binding:
        """With the time of the snapshot that had its version."""
        times = [
            record.taken_at
            for (name, instanceid, _), record in self.snapshots.items()
            if (name, instanceid) == (binding.clustername, binding.instanceid)
            and record.resource_version == str(binding.resource_version)
            and record.taken_at is not None
        ]
        return replace(binding, listed_at=max(times, default=None))

    def begin_run(
        self, grant: LeaseGrant, binding: Binding, *, installation: str, runs: int
    ) -> DatabaseIdentity:
        with self._fenced("begin_run", grant, binding=binding):
            known = self.installation
            self.installation = DatabaseIdentity(
                installation=known.installation or installation,
                runs=max(known.runs, runs) + 1,
                made_at=known.made_at or self.now,
            )
            self._bind(binding)
        return self.identity(clustername=grant.clustername)

    def accept(
        self,
        grant: LeaseGrant,
        binding: Binding,
        *,
        moved: Sequence[str],
        because: str,
        by_whom: str,
        void_proofs: bool,
    ) -> None:
        with self._fenced("accept", grant, binding=binding):
            for key, known in list(self.bindings.items()):
                same = key == (binding.clustername, binding.instanceid)
                other = key[0] == binding.clustername and known.cluster_uid != binding.cluster_uid
                if same or other:
                    del self.bindings[key]
            self._bind(binding)
            self.acceptances.append((tuple(moved), because, by_whom))
            if void_proofs:
                for uid, proof in self.proofs.items():
                    if (uid[0], proof.instanceid) == (grant.clustername, grant.instanceid):
                        version = replace(proof.version, resource_version=0, live_version=0)
                        self.proofs[uid] = replace(proof, version=version)

    def _bind(self, binding: Binding) -> None:
        key = binding.clustername, binding.instanceid
        known = self.bindings.get(key)
        self.bindings[key] = replace(
            binding,
            resource_version=max(
                binding.resource_version, known.resource_version if known is not None else 0
            ),
            bound_at=known.bound_at if known is not None else self.now,
        )

    def add_hold(self, hold: Hold) -> None:
        self._meet("add_hold", {"hold": hold})
        self.held[hold.clustername, hold.instanceid, hold.place] = replace(hold, since=self.now)

    def release_hold(self, *, clustername: str, instanceid: str, place: str) -> Hold | None:
        self._meet("release_hold", {"place": place})
        return self.held.pop((clustername, instanceid, place), None)

    def holds(self, *, clustername: str, instanceid: str) -> Sequence[Hold]:
        self._meet("holds", {"clustername": clustername})
        scope = (clustername, instanceid)
        return [
            hold
            for key, hold in sorted(self.held.items())
            if key[:2] == scope and (hold.until is None or hold.until > self.now)
        ]

    def pause(self, pause: Pause) -> None:
        self._meet("pause", {"pause": pause})
        self.pauses[pause.clustername, pause.instanceid] = replace(pause, since=self.now)

    def resume(self, *, clustername: str, instanceid: str) -> Pause | None:
        self._meet("resume", {"clustername": clustername})
        return self.pauses.pop((clustername, instanceid), None)

    def pause_of(self, *, clustername: str, instanceid: str) -> Pause | None:
        self._meet("pause_of", {"clustername": clustername})
        found = self.pauses.get((clustername, instanceid))
        return found if found and (found.until is None or found.until > self.now) else None
