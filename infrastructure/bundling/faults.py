"""What keeps a bundle from being made."""


class BundleFault(Exception):
    """The message says what to do about it."""


class Lacking(BundleFault):
    """This machine lacks a program or a source that bundling needs."""
