"""What is said of a raster that cannot be read."""


class Unreadable(Exception):
    """A raster that cannot be read, with a reason for the client; `passing` when a later try may do better."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
