"""`python -m argo_retention.cli`, where the program `argo-retention` is not on the path."""

from argo_retention.cli.main import main

main()
