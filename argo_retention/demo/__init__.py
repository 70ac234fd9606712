"""Real PostgreSQL, real S3 and an emulated Kubernetes API on loopback, filled with sample workflows."""
