"""The command `argo-retention`."""
