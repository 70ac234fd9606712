"""What Argo's data means and what policy decides.

Pure: standard library, pydantic for settings, msgspec and decompressors for documents. No clock, no I/O.
"""
