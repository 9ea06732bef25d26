"""Workflows: kept in the journal, run step by step, resumed by any replica."""
