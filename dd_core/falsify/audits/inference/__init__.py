"""Audits of group D: is the inference honest? One module each, named by its id."""
