"""A synthetic scene around Jezero crater, so that everything can be tried without a network."""

from quadmosaic.demo.scene import make_scene

__all__ = ["make_scene"]
