"""Faults of shift and capability studies, by what they damage: one list of kinds a module."""
