"""The verbs of the command line, a module for each group; every one is a thin function over a public Python call.

`sweeps.cli` registers them. Nothing else imports them.
"""
