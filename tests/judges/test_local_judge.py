"""Claims about a judge on this machine: a model that is too small to judge is found out, and nothing is made up."""

from __future__ import annotations

from dd_core.judging import JudgeSpec
from judges import JudgeRow, make_judge
from judges.validity import accepted, validity_reports

SMALL = {"backend": "local", "model": "smollm2-135m", "max_tokens": 24}


def test_a_small_model_is_no_rubric_judge_and_its_report_says_so() -> None:
    judge = make_judge(JudgeSpec.model_validate({"judge": "rubric", "axes": ["factual_accuracy"], "model": SMALL}))
    (report,) = validity_reports(judge, "facts", n=2)
    judge.close()
    assert report["n_pairs"] == 2 and not accepted(report)
    assert report["errors"] > 0  # it writes prose, or an object of its own


def test_a_tiny_model_says_nothing_that_can_be_read() -> None:
    tiny = {"backend": "local", "model": "tiny-llama", "max_tokens": 8, "threads": 1}
    judge = make_judge(JudgeSpec.model_validate({"judge": "mcas", "model": tiny}))
    judged = judge.score([JudgeRow(f"r{i}", "p", "Capital of France?", f"Paris {i}.") for i in range(3)])
    judge.close()
    assert [(one["score"], one["status"], one["judge_model"]) for one in judged] == [(None, "error", "tiny-llama")] * 3
    assert all(one["error"].startswith("Unread: ") for one in judged)
