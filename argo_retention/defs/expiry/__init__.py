"""Expiry: the plan, and carrying it out."""
