"""
The errors of checks: which code libvirt gives with a text depends on the age of the check.
"""

from __future__ import annotations

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["detail", "internal", "refuse"]


def refuse(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.DOMAIN)


def internal(detail: str) -> VirtError:
    """Make an internal error, as older checks give."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.DOMAIN)


def detail(text: str) -> VirtError:
    """Make an error that is only its text."""
    return virtError(ErrorCode.XML_DETAIL, text, ErrorDomain.DOMAIN)
