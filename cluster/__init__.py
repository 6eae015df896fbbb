"""Where a study runs: a Ray session of this machine, the cluster of `$RAY_ADDRESS`, or a submitted job.

`session` starts or joins Ray, `placement` says which nodes a process may be on; `submit` sends a study to a head by
what `package` and `environment` make, `jobs` and `following` look after it. Knows nothing of studies' contents.
"""
