"""The models themselves, a file for each family. Another subject is one more entry in one of them."""

from __future__ import annotations

from dd_core.subjects.catalogue import gemma, qwen, smollm, tiny
from dd_core.subjects.subject import Subject

SUBJECTS: dict[str, Subject] = {
    subject.name: subject for family in (smollm, qwen, gemma, tiny) for subject in family.ENTRIES
}
"""Name → subject."""

TINY = tuple(subject.name for subject in tiny.ENTRIES)
"""The subjects with random weights, which need no download."""

LAYOUTS = ("tiny-llama", "tiny-llama-mha", "tiny-qwen3", "tiny-qwen3.5", "tiny-gemma4")
"""Of each layout that real subjects have a tiny one: a test over these has seen them all."""
