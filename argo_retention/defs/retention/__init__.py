"""Retention: the plan, and carrying it out."""
