"""Where a study runs: a Ray session of this machine, or the cluster of `$RAY_ADDRESS`, or a submitted job.

Knows nothing of studies' contents.
"""
