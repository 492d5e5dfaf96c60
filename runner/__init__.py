"""ovrun: a declarative batch optimizer for OpenVINO."""

__version__ = "0.1.0"
