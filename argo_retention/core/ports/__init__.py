"""The outside world as the operations see it: one abstract class for each server.

The real ones are in `argo_retention.adapters`, in-memory ones in `argo_retention_tests.fakes`; both pass the
same contract suites. All methods raise errors of `argo_retention.errors` only. All are safe to call from
several threads unless said otherwise.
"""
