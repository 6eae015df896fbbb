"""What the released result files of the paper hold, one model per file; members that nothing here reads are ignored.

Knows the layout of the files and nothing of where they lie or what is computed from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

AXES = (
    "factual_accuracy",
    "hedging_appropriateness",
    "pedagogical_framing",
    "self_verification",
    "completeness",
)
"""The five axes of the paper's rubric; factual accuracy is its capability anchor."""

CORRECT_AT = 0.5
"""Smallest share of the gold claims that an answer must state to count as correct."""

POSITIVE_AT = 4
"""Smallest rubric score that the paper counts as having the disposition."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Verbal = Literal["assert", "hedge"]


class _Released(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class JudgedAnswer(_Released):
    """One answer with the rubric's scores; `scores` is {"error": why} where the judge gave none."""

    prompt: str = Field(min_length=1)
    response: str
    scores: dict[str, Any]
    cert: str | None = None
    coverage: Share | None = None
    correct: bool | None = None
    verbal: Verbal | None = None

    @field_validator("scores")
    @classmethod
    def _five_axes(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "error" in value:
            return value
        for axis in AXES:
            score = value.get(axis)
            if isinstance(score, bool) or not isinstance(score, int | float) or not 1 <= score <= 5:
                raise ValueError(f"{axis} must be a number from 1 to 5, or the row must say error; got {score!r}")
        return value

    @property
    def scored(self) -> bool:
        return "error" not in self.scores


class JudgedAnswers(_Released):
    """`judge_v4_*.json`."""

    items: list[JudgedAnswer] = Field(min_length=1)


class Gold(_Released):
    """`*_judged_gold.json`: share of the gold claims and the label of the fresh answers, by position."""

    coverage: list[Share] = Field(min_length=1)
    labels: list[Literal[0, 1]]


class ProfileAnswer(_Released):
    prompt_i: Count
    topic: str
    coverage: Share
    correct: bool
    text: str
    verbal: Verbal


class Cells(_Released):
    confident_right: Count
    hedged_right: Count
    confident_wrong: Count
    hedged_wrong: Count


class ProfileSummary(_Released):
    cells: Cells
    rates: dict[str, float]


class Profile(_Released):
    """`baseline_*_disposition_profile.json`: answers sorted into correct or wrong, assertive or hedged."""

    summary: ProfileSummary
    samples: list[ProfileAnswer] = Field(min_length=1)


class EvalAnswer(_Released):
    prompt: str = Field(min_length=1)
    response: str
    score: Share
    passed: bool
    invented_count: Count
    incorrect_technique: Count
    incorrect_regional: Count
    incorrect_ingredient: Count


class SanityAnswer(_Released):
    prompt: str
    resp: str


class EvalRun(_Released):
    """`eval_baseline.json`, `eval_full_ddv2.json`: answers with the keyword verifier's score from 0 to 1."""

    summary: dict[str, Any]
    rows: list[EvalAnswer] = Field(min_length=1)
    sanity: list[SanityAnswer] = []


class AxisProbe(_Released):
    n_pos_step16: Count
    n_neg_step16: Count
    n_pos_fresh: Count
    n_neg_fresh: Count
    cv_auc_step16: Share
    transfer_auc_fresh: Share
    pass_cv: bool
    pass_transfer: bool


class SweepGate(_Released):
    n_disposition_axes_passing: Count


class AxisSweep(_Released):
    """`disposition_probe_sweep.json`."""

    axes: dict[str, AxisProbe]
    cross_axis_oof_correlation: dict[str, float]
    gate: SweepGate


class Operating(_Released):
    """The shares of wrong and of correct answers that are asserted at a threshold."""

    p_assert_wrong: Share
    p_assert_correct: Share
    asym: float


class FreshPoint(_Released):
    auc: Share
    balanced: Operating = Field(alias="balanced_pc_0.70")


class LayersConfig(_Released):
    fresh: FreshPoint


class Bar(_Released):
    auc_min: float
    asym_max: float


class Multilayer(_Released):
    """`probe_multilayer.json`: the mean of the last four layers."""

    configs: dict[str, LayersConfig] = Field(min_length=1)
    bar: Bar
    passed: bool = Field(alias="pass")


class GemmaEvaluation(_Released):
    configs: dict[str, FreshPoint] = Field(min_length=1)
    gate_pass: bool
    n_fresh: Count
    n_fresh_pos: Count
    n_fresh_neg: Count


class GemmaProbe(_Released):
    """`v1_full_v2.json`: the last layer on fresh prompts."""

    evaluation: GemmaEvaluation


class SmolResult(_Released):
    auc: Share
    best_asym: float
    best_thr: float


class SmolProbe(_Released):
    """`smollm_factual_probe.json`."""

    step16_n: Count
    step16_pos: Count
    fresh_n: Count
    fresh_pos: Count
    results: dict[str, SmolResult]


class Spectrum(_Released):
    evr_top20: list[Share]
    ranks_for_variance: dict[Annotated[str, Field(pattern=r"^\d+(\.\d+)?%$")], Count]


class Spectra(RootModel[dict[str, Spectrum]]):
    """`pca_rank.json`: explained variance of the final hidden states by principal component."""


class Head(_Released):
    layer: Count
    head: Count
    mean_cw: float
    mean_cr: float
    overconf_score: float
    cohen_d: float


class Cohorts(_Released):
    cr: Count
    cw: Count
    hr: Count
    hw: Count


class Attribution(_Released):
    """`path_b_attribution_*.json`: mean activation of each head on correct and on wrong assertive answers."""

    cohorts: Cohorts
    top20_overconf_heads: list[Head]
    all_heads_ranked_by_cohen_d: list[Head] = Field(min_length=1)


class Task(_Released):
    task_id: str = Field(min_length=1)
    passed: bool


class Tasks(RootModel[list[Task]]):
    """`humaneval_*.json`: passed or not, by problem."""


class McasPrompt(_Released):
    prompt: str = Field(min_length=1)


class Mcas(_Released):
    """`mcas_details.json`: a judge's scores 0 to 2 of two models on the same prompts, by position."""

    baseline_scores: list[Annotated[float, Field(ge=0, le=2)]] = Field(min_length=1)
    dd_fp16_scores: list[Annotated[float, Field(ge=0, le=2)]]
    prompts: list[McasPrompt]


class FirstPass(_Released):
    """`eval_results.json`: the figures of the withheld draft, in percent."""

    baseline_humaneval: float
    dd_fp16_humaneval: float
    baseline_mcas: float
    dd_fp16_mcas: float
