"""Audits of group C: is it what is claimed, or something cheaper? One module each, named by its id."""
