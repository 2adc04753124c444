"""What stops the work: each error names its text in `schemas/messages.toml`, and its exit code."""

from __future__ import annotations

from typing import ClassVar


class MedpayError(Exception):
    """The work cannot be done as asked: usage or configuration (exit 2)."""

    exit_code: ClassVar[int] = 2

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(f"{key}: " + ", ".join(f"{k}={v}" for k, v in values.items()))


class LockedError(MedpayError):
    """Another run is at it; nothing was touched (exit 5)."""

    exit_code = 5


class RefusedError(MedpayError):
    """It was done already, and must not be done twice (exit 6)."""

    exit_code = 6


class StorageError(MedpayError):
    """The environment failed us: disk full, no permission (exit 7, worth a retry)."""

    exit_code = 7


class InternalError(MedpayError):
    """Our own proof failed, for example a bridge that does not tie (exit 70)."""

    exit_code = 70


class ReadError(Exception):
    """An input that cannot be judged (exit 3); becomes the file-level finding `code`."""

    def __init__(self, code: str, value: str | None = None, expected: str | None = None) -> None:
        self.code = code
        self.value = value
        self.expected = expected
        super().__init__(f"{code}: {value} (expected {expected})")
