"""How a block of answers and an edit's files are laid out, for those who know of them and load no torch."""

from __future__ import annotations

BLOCK_ROWS = 64
"""Largest batch: tokens a second grow to 64 rows on two cores (13 at 1, 64 at 8, 136 at 32, 179 at 64)."""

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
"""The two files of an adapter in the Hugging Face format."""

EDIT_FILE, TENSORS_FILE = "edit.json", "edit.safetensors"
"""Of an edit that is no adapter: what it is, and its numbers."""
