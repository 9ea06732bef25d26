"""A whole SaaS company on one machine: emulated AWS with IAM on, PostgreSQL, Valkey and an identity provider."""

from .processes import PartFailed
from .sandbox import Sandbox

__all__ = ["PartFailed", "Sandbox"]
