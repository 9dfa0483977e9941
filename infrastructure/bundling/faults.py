"""What keeps a bundle from being made."""


class BundleFault(Exception):
    """The message says what to do about it."""
