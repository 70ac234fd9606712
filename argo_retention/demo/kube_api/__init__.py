"""An emulator of the Kubernetes API, as small as the product and kubectl allow.

It stands in for a cluster in the demo, the tests and the bench. It knows Kubernetes, as recorded
from a real API server, and nothing of retention; nothing here imports the rest of the package.
"""
