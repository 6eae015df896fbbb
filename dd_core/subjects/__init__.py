"""The small models under test: what they are, how they are loaded, what an edit is to them, how they are run.

Importing this package imports none of its parts: `registry` is light, `loading`, `edit` and `engine` need torch.
"""
