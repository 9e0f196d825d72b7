"""
Domain definitions: XML to frozen values and back.
"""

from pyvirt.definitions.domain._check import check
from pyvirt.definitions.domain._complete import completed
from pyvirt.definitions.domain._lookup import diskOf, pathOf
from pyvirt.definitions.domain._test import TestState
from pyvirt.definitions.domain._top import (
    Devices,
    DomainDefinition,
    formatDevice,
    formatDomain,
    parseDevice,
    parseDomain,
)

__all__ = [
    "Devices",
    "DomainDefinition",
    "TestState",
    "check",
    "completed",
    "diskOf",
    "formatDevice",
    "formatDomain",
    "parseDevice",
    "parseDomain",
    "pathOf",
]
