"""Rewrite rules: laws only, in tables; `pipeline` says in which order they are applied."""
