"""Stores: PostgreSQL with row-level security, Valkey with a key prefix, datasets on S3 and the engines that query them.

Import the module of the store that is needed; each needs its own extra (`postgres`, `valkey`, `analytics`).
"""
