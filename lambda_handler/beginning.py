"""The beginning of a function, imported before all else: it makes what is imported next quicker to import."""

import gc
import os

gc.disable()
# Pydantic would look through all installed packages for plugins, and there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def end() -> None:
    """All is imported: collect garbage from now on, but never look at what is there already."""
    gc.freeze()
    gc.enable()
