"""Why a raster, or a part of it, cannot be read."""

from quadmosaic.domain.errors import Invalid, QuadmosaicError, Unavailable


class Unreadable(Exception):
    """A raster that cannot be read, with a reason for the client; `passing` when a later try may do better."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing

    @property
    def error(self) -> QuadmosaicError:
        """As a scan says it: Unavailable where a later one may do better, else Invalid (field "href")."""
        return Unavailable(self.reason) if self.passing else Invalid(self.reason, field="href")


class Replaced(Exception):
    """The file is not the one that the header record was read from."""


class Unfit(Exception):
    """A server that does not give byte ranges."""
