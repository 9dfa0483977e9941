"""The one tree of errors: each class is an HTTP status, each message says what to change.

QuadmosaicError
├── Invalid        400  the request is wrong; `field` names the part that is
├── NotFound       404  nothing of that name exists
├── Conflict       409  someone else was first, or the name is taken
├── Stale          412  what the client has seen is not how things are any more
├── TooLarge       413  over a stated limit
├── Broken         500  stored content is damaged
└── Unavailable    503  a source, store or granule is out of reach; `retry_after` is in seconds
"""


class QuadmosaicError(Exception):
    """Root of every error that quadmosaic raises on purpose."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(QuadmosaicError):
    """The request or the document is wrong; `field` names the part."""

    status = 400

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class NotFound(QuadmosaicError):
    """Nothing of that name exists."""

    status = 404


class Conflict(QuadmosaicError):
    """Someone else was first, or the name is taken."""

    status = 409


class Stale(QuadmosaicError):
    """What the client has seen is not how things are any more."""

    status = 412


class TooLarge(QuadmosaicError):
    """Over a stated limit."""

    status = 413


class Broken(QuadmosaicError):
    """Stored content is damaged or was written by a newer quadmosaic."""

    status = 500


class Unavailable(QuadmosaicError):
    """A source, store or granule is out of reach for now."""

    status = 503

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
