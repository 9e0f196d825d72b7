"""
The document that says what kinds of pools there can be.
"""

from __future__ import annotations

from pyvirt.definitions.storage import PARTITION_FORMATS
from pyvirt.drivers.host.storage.kinds import BACKENDS

__all__ = ["document"]

_FILES = "none raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk"

#: Of each type: default and all formats of its source, then of its volumes; None: it has none.
_KINDS: dict[str, tuple[tuple[str, str] | None, tuple[str, str] | None]] = {
    "dir": (None, ("raw", _FILES)),
    "fs": (
        (
            "auto",
            "auto ext2 ext3 ext4 ufs iso9660 udf gfs gfs2 vfat hfs+ xfs ocfs2 vmfs",
        ),
        ("raw", _FILES),
    ),
    "netfs": (("auto", "auto nfs glusterfs cifs"), ("raw", _FILES)),
    "logical": (("lvm2", "unknown lvm2"), None),
    "disk": (("unknown", "unknown dos dvh gpt mac bsd pc98 sun lvm2"), ("none", PARTITION_FORMATS)),
    "iscsi": (None, None),
    "iscsi-direct": (None, None),
    "scsi": (None, None),
    "mpath": (None, None),
    "rbd": (None, ("raw", "")),
    "sheepdog": (None, None),
    "gluster": (None, ("raw", _FILES)),
    "zfs": (None, None),
    "vstorage": (None, ("raw", _FILES)),
}


def _formats(out: list[str], tag: str, name: str, formats: tuple[str, str] | None) -> None:
    if formats is None:
        return
    default, words = formats
    out += [f"    <{tag}>\n", f"      <defaultFormat type='{default}'/>\n"]
    out.append(f"      <enum name='{name}'>\n")
    out += [f"        <value>{word}</value>\n" for word in words.split()]
    out += ["      </enum>\n", f"    </{tag}>\n"]


def document() -> str:
    """Return a C{<storagepoolCapabilities>} document."""
    out = ["<storagepoolCapabilities>\n"]
    for kind, (pool, volume) in _KINDS.items():
        supported = "yes" if kind in BACKENDS else "no"
        out.append(f"  <pool type='{kind}' supported='{supported}'>\n")
        _formats(out, "poolOptions", "sourceFormatType", pool)
        _formats(out, "volOptions", "targetFormatType", volume)
        out.append("  </pool>\n")
    out.append("</storagepoolCapabilities>\n")
    return "".join(out)
