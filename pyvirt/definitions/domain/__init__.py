"""
Domain definitions: XML to frozen values and back.
"""

from pyvirt.definitions.domain._check import check
from pyvirt.definitions.domain._complete import completed
from pyvirt.definitions.domain._top import DomainDefinition, formatDomain, parseDomain

__all__ = ["DomainDefinition", "check", "completed", "formatDomain", "parseDomain"]
