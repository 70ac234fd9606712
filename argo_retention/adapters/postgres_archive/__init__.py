"""Argo's archive tables and our ledger on PostgreSQL; the only package that imports psycopg.

SQL stands in `sql/*.sql`, our tables in `migrations/*.sql`. Nothing is decided here, beyond the
guards that must be in the same transaction as what they guard.
"""
