"""What the science is: studies, rows, subjects, operators, the falsifier and its report.

Knows no Ray, no object store and no HTTP. Importing this package imports none of its parts.
"""

__version__ = "0.1.0"
