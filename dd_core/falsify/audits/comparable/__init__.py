"""Audits of group A: is it the same experiment in both arms, apart from the edit? One module each, named by its id."""
