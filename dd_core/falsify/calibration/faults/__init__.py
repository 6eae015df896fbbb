"""Faults of planted studies, by what they damage: one list of kinds a module."""
