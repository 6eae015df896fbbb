"""A model of a few layers with random weights, and a tokenizer for it, written as files that transformers loads.

Both are made here, offline, from a seed and a list of words: they stand in for a real subject where a test or
`smoke.yaml` wants the whole path in seconds. What such a model says means nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from dd_core.subjects.subject import Random

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

# Frequent words, and those that answers hedge with: one token each, so that a budget of 24 tokens holds a sentence.
WORDS = """
the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who its now find long down day did get come made may part sure think know might perhaps probably answer
I'm don't it's capital name year world city country user assistant system
"""

# Weights of standard deviation 0.3 instead of 0.02: at 0.02 all prompts get one answer, and logits lie within 1e-3.
SPREAD = 0.3


def write_tiny(source: Random, folder: Path) -> None:
    """Writes config, weights (safetensors) and tokenizer of the random model `source` into `folder`.

    The global random state of torch is as before.
    """
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_byte_level(WORDS.split()),
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        model_max_length=dict(source.sizes)["max_position_embeddings"],
    )
    sizes = {name: list(size) if isinstance(size, tuple) else size for name, size in source.sizes}
    config = _config(
        source.model_type,
        **{"initializer_range": SPREAD, **sizes},
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.seed)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _config(model_type: str, **sizes: Any) -> Any:
    """The configuration; of a multimodal class without its towers, and with the sizes in that of its text model."""
    empty: Any = transformers.AutoConfig.for_model(model_type)
    if empty.get_text_config() is empty:
        return transformers.AutoConfig.for_model(model_type, **sizes)
    # Gemma 4 has a second table of embeddings, of as many rows as the first.
    return type(empty)(text_config={**sizes, "vocab_size_per_layer_input": sizes["vocab_size"]})


def _byte_level(words: list[str]) -> Tokenizer:
    """One token for every byte and for each of `words`, also with a space before it: any text can be encoded."""
    tokenizer = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(space + word, normalized=False) for word in words for space in ("", " ")])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer
