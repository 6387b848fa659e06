"""Backends: each turns a plan into something that runs. They know symgraph's core; it knows them by name only."""
