#!/usr/bin/python3
"""
A C{mdevctl} for hosts that are made up: it remembers devices in files, as the real one does, makes and removes them in
C{/sys}, says so as udev would, and notes down how it was called.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
import struct
import sys
from typing import NoReturn

FOLDER = "/etc/mdevctl.d"
_MASK, _PRIME = 0xFFFFFFFF, 0x5BD1E995


def _hash(data: bytes) -> int:
    """What udev's listeners filter messages by (MurmurHash2)."""
    value = len(data)
    while len(data) >= 4:
        word = int.from_bytes(data[:4], "little") * _PRIME & _MASK
        value = value * _PRIME & _MASK ^ ((word ^ word >> 24) * _PRIME & _MASK)
        data = data[4:]
    if data:
        value = (value ^ int.from_bytes(data, "little")) * _PRIME & _MASK
    value = (value ^ value >> 13) * _PRIME & _MASK
    return value ^ value >> 15


def _tell(action: str, place: str) -> None:
    said = {"ACTION": action, "DEVPATH": place[4:], "SUBSYSTEM": "mdev", "SEQNUM": "9999"}
    body = b"".join(f"{key}={value}\0".encode() for key, value in said.items())
    head = b"libudev\0" + struct.pack(">I", 0xFEEDCAFE) + struct.pack("=III", 40, 40, len(body))
    head += struct.pack(">II", _hash(b"mdev"), 0) + bytes(8)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15) as opened:
        opened.bind((0, 0))
        opened.sendto(head + body, (0, 2))


def _fail(text: str) -> NoReturn:
    sys.exit(text)


def _start(uuid: str, parent: str, kind: str) -> None:
    above = os.path.realpath(f"/sys/class/mdev_bus/{parent}")
    place, types = f"{above}/{uuid}", f"{above}/mdev_supported_types/{kind}"
    if os.path.exists(place):
        _fail("Device already exists")
    if not os.path.isdir(types):
        _fail("Parent does not support type")
    os.makedirs(place)
    os.makedirs("/sys/kernel/iommu_groups/77", exist_ok=True)
    with open(f"{place}/uevent", "w"):
        pass
    os.symlink("/sys/bus/mdev", f"{place}/subsystem")
    os.symlink(types, f"{place}/mdev_type")
    os.symlink("/sys/kernel/iommu_groups/77", f"{place}/iommu_group")
    os.symlink(place, f"/sys/bus/mdev/devices/{uuid}")
    _tell("add", place)


def main(verb: str, arguments: list[str]) -> None:
    options = dict(
        zip(arguments[::2], arguments[1::2], strict=False)
        if verb == "modify"
        else (each.split("=", 1) for each in arguments if "=" in each)
    )
    config = sys.stdin.read() if "--jsonfile" in options else ""
    with open("/run/mdevctl.log", "a") as log:
        log.write(f"{[verb, *arguments]} {config}\n")
    uuid, parent = options.get("--uuid", ""), options.get("--parent", "")
    kept = next(iter(glob.glob(f"{FOLDER}/*/{uuid}")), "") if uuid else ""
    if verb == "list":
        found: dict[str, list[object]] = {}
        for path in sorted(glob.glob(f"{FOLDER}/*/*")):
            with open(path) as file:
                each = {os.path.basename(path): json.load(file)}
            found.setdefault(path.split("/")[-2], []).append(each)
        print(json.dumps([found], indent=2))
    elif verb in ("define", "modify"):
        if verb == "define" and kept:
            _fail(f"Cowardly refusing to overwrite existing config {kept}")
        path = kept or f"{FOLDER}/{parent}/{uuid}"
        if kept:
            with open(kept) as file:
                changed = json.load(file)
            changed["start"] = "auto" if "--auto" in arguments else "manual"
            config = json.dumps(changed)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{FOLDER}/.new", "w") as file:
            file.write(config)
        os.rename(f"{FOLDER}/.new", path)
    elif verb == "undefine":
        os.unlink(kept)
    elif verb == "start":
        if not config:
            parent = kept.split("/")[-2]
            with open(kept) as file:
                config = file.read()
        _start(uuid, parent, json.loads(config)["mdev_type"])
    else:
        place = os.path.realpath(f"/sys/bus/mdev/devices/{uuid}")
        shutil.rmtree(place)
        os.unlink(f"/sys/bus/mdev/devices/{uuid}")
        _tell("remove", place)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
