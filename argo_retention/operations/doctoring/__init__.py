"""What `argo-retention doctor` finds out, one module a subject.

Nothing is changed, but for the probe object in the bucket, which is removed again. A check that fails ends
what depends on it, and nothing else.
"""
