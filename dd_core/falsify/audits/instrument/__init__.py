"""Audits of group B: does the score measure anything? One module each, named by its id."""
