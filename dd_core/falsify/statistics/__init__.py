"""The falsifier's statistics: arrays of numbers and integer codes in, estimates and intervals out.

paired → the effect and its interval; proportions, equivalence, multiplicity, power; isotonic → a rise with the dose;
agreement, correction and tipping → what judges are worth; auc → what a score tells of two classes; resampling → a
cross-check. Knows nothing of axes, arms, gates or files.
"""

from __future__ import annotations

from dd_core.falsify.statistics.agreement import (
    Agreement,
    cohen_kappa,
    correlation_interval,
    kappa_interval,
    krippendorff_alpha,
)
from dd_core.falsify.statistics.auc import (
    Auc,
    AucDifference,
    Gap,
    auc_difference,
    auc_estimate,
    aucs,
    class_gap,
    newcombe_auc,
)
from dd_core.falsify.statistics.correction import (
    Corrected,
    corrected_difference,
    corrected_rate,
    ppi_difference,
    ppi_mean,
)
from dd_core.falsify.statistics.equivalence import TOST_LEVEL, tost
from dd_core.falsify.statistics.isotonic import Monotone, isotonic_fit, monotone
from dd_core.falsify.statistics.multiplicity import holm, levels, maximum_quantile, null_maximum
from dd_core.falsify.statistics.paired import (
    AUDIT_LEVEL,
    POWER,
    STEP_LEVEL,
    Estimate,
    Floats,
    Ints,
    Parts,
    chi2_tail,
    codes,
    crossed,
    rare_step,
    t_quantile,
)
from dd_core.falsify.statistics.power import (
    MOST_PROMPTS,
    MOST_SEEDS,
    Rule,
    prompts_needed,
    seeds_needed,
    settled_share,
)
from dd_core.falsify.statistics.proportions import clopper_pearson, mcnemar, newcombe, wilson
from dd_core.falsify.statistics.resampling import bootstrap_auc, bootstrap_interval
from dd_core.falsify.statistics.tipping import TippingPoint, tipping_point

__all__ = [
    "AUDIT_LEVEL",
    "Agreement",
    "Auc",
    "AucDifference",
    "Corrected",
    "Estimate",
    "Floats",
    "Gap",
    "Ints",
    "MOST_PROMPTS",
    "MOST_SEEDS",
    "Monotone",
    "POWER",
    "Parts",
    "Rule",
    "STEP_LEVEL",
    "TOST_LEVEL",
    "TippingPoint",
    "auc_difference",
    "auc_estimate",
    "aucs",
    "bootstrap_auc",
    "bootstrap_interval",
    "chi2_tail",
    "class_gap",
    "clopper_pearson",
    "codes",
    "cohen_kappa",
    "corrected_difference",
    "corrected_rate",
    "correlation_interval",
    "crossed",
    "holm",
    "isotonic_fit",
    "kappa_interval",
    "krippendorff_alpha",
    "levels",
    "maximum_quantile",
    "mcnemar",
    "monotone",
    "newcombe",
    "newcombe_auc",
    "null_maximum",
    "ppi_difference",
    "ppi_mean",
    "prompts_needed",
    "rare_step",
    "seeds_needed",
    "settled_share",
    "t_quantile",
    "tipping_point",
    "tost",
    "wilson",
]
