"""The ports on real servers. Each module here is the only one that imports its client library."""
