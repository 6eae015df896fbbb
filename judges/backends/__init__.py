"""Chat models behind one interface, for teachers and for judges that are models. Importing this opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dd_core.chat_models import ChatModel, Endpoint, Local
from judges.backends.base import Backend


def open_backend(settings: ChatModel, seed: int = 0, may_begin: Callable[[], None] = lambda: None) -> Backend:
    """The backend that `settings` describe; nothing is sent or loaded before it is entered.

    Args:
        seed: the first seed that calls will have.
        may_begin: is called right before a request is sent, and may raise.

    Raises:
        InputError: a key is not in the environment, or a file of recorded completions cannot be read.
    """
    if isinstance(settings, Endpoint):
        from judges.backends.endpoint import EndpointBackend

        return EndpointBackend(settings, may_begin)
    if isinstance(settings, Local):
        from judges.backends.local import LocalBackend

        return LocalBackend(settings, may_begin)
    from judges.backends.recorded import RecordedBackend

    return RecordedBackend(settings.file, seed)


def identity_of(settings: ChatModel) -> dict[str, Any]:
    """All that decides a model's reply but the messages and the seed; no key is needed and nothing is sent.

    Raises:
        InputError: a file of recorded completions cannot be read, or a local model not be prepared.
    """
    keyless = settings.model_copy(update={"api_key_env": None}) if isinstance(settings, Endpoint) else settings
    return open_backend(keyless).identity


__all__ = ["Backend", "identity_of", "open_backend"]
