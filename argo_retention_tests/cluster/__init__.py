"""Tests on a real kube-apiserver, run by `make test-cluster` (README, Tests); nothing else collects them."""
