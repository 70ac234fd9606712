"""One-line faults that would lose something: each must turn a test red that is named for a promise.

A `.toml` file holds one fault: `promise` (P1 to P8), `what` (in words), `file`, the `line` as it stands and what
it `becomes`, and the `tests` that must see it. `make test-sabotage` tries them all on a copy.
"""
