"""The falsifier's own error rates: planted studies of known truth, put to it and to three rivals.

Does not know rows made elsewhere, and changes nothing of what it measures.
"""

from __future__ import annotations

from dd_core.falsify.calibration.calibrate import Settings, calibrate
from dd_core.falsify.calibration.generator import KINDS, Study, plant

__all__ = ["KINDS", "Settings", "Study", "calibrate", "plant"]
