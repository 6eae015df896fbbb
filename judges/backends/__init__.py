"""Chat models behind one interface: teachers today, judges that are models next. Importing this opens nothing."""

from __future__ import annotations

from collections.abc import Callable

from dd_core.distill.teachers import Endpoint, Local, Recorded
from judges.backends.base import Backend


def open_backend(
    settings: Endpoint | Local | Recorded, seed: int = 0, may_begin: Callable[[], None] = lambda: None
) -> Backend:
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


__all__ = ["Backend", "open_backend"]
