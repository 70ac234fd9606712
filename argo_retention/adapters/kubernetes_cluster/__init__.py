"""The cluster port on the official Kubernetes client, which gives configuration, credentials and connections.

Requests are sent through its connection pool, and answers are decoded here: the client's own models cost more
than the API server does. `connecting` alone imports `kubernetes`; `transport` and `answers` know urllib3.
"""
