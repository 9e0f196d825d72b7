"""
A world described by a file: the host and everything on it.

Any element of it may stand in a file of its own, which its attribute C{file} names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lxml import etree

from pyvirt import constants as c
from pyvirt.definitions.interface import parseInterface
from pyvirt.definitions.kinds import number
from pyvirt.definitions.nodedev import readNodeDevice
from pyvirt.definitions.reader import localName, parseTree, xmlText
from pyvirt.drivers.interfaces.values import NodeInfo
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.extra import Polling
from pyvirt.drivers.test.hostinterfaces import HostInterface
from pyvirt.drivers.test.iothreads import threadNumbers
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.refusals import internal
from pyvirt.drivers.test.snapshots import readSnapshot
from pyvirt.drivers.test.volumes import Storage
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["worldFromFile"]

_MODEL_LENGTH = 31

_T = TypeVar("_T")


def bad(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    """Make the error of a file that says something impossible."""
    return virtError(ErrorCode.XML_ERROR, detail, domain)


def readDocument(path: str) -> Any:
    """
    Read a file of XML.

    @return: its root element.
    @raise VirtError: it cannot be read, or it is not well formed.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except IsADirectoryError:
        text = ""
    except OSError:
        raise bad(f"failed to parse xml document '{path}'") from None
    return parseTree(text, None, label=path, domain=ErrorDomain.TEST)


class _Reader:
    """Puts what a file describes into a world."""

    def __init__(self, world: World, path: str) -> None:
        self._world = world
        self._folder = os.path.dirname(path)

    def _resolved(self, node: Any) -> Any:
        """Return an element, or the one in the file that it names."""
        file = node.get("file")
        if file is None:
            return node
        return readDocument(os.path.join(self._folder, file))

    def _each(self, root: Any, tag: str) -> Iterator[tuple[Any, str]]:
        """Go over the elements of a name, with the text of each."""
        for node in root.findall(tag):
            found = self._resolved(node)
            yield found, etree.tostring(found, encoding="unicode", with_tail=False)

    def read(self, root: Any) -> None:
        """Read everything, in the order that decides which error comes first."""
        self._host(root)
        for _, text in self._each(root, "domain"):
            self._domain(text)
        for _, text in self._each(root, "network"):
            network = Networks(self._world).add(text)
            network.active = network.persistent = True
        for _, text in self._each(root, "interface"):
            interface = HostInterface(parseInterface(text), active=True)
            self._world.interfaces[interface.ref.name] = interface
        for node, text in self._each(root, "pool"):
            pools = Storage(self._world)
            pool = pools.add(text)
            pool.active = pool.persistent = True
            for inner, volume in self._each(node, "volume"):
                pools.make(pool, volume, found=True, key=inner.findtext("key"))
        for node, _ in self._each(root, "device"):
            device = readNodeDevice(node)
            self._world.devices[device.name] = device

    def _host(self, root: Any) -> None:
        """Read what the host is; what is not said is as on the default one."""
        node = self._world.node

        def told(path: str, take: Callable[[str], _T], otherwise: _T) -> _T:
            found = root.find(path)
            text = "" if found is None else xmlText(found)
            return take(text) if text else otherwise

        def count(name: str) -> Callable[[str], int]:
            def take(text: str) -> int:
                value = number(text)
                if value is None:
                    raise bad(f"invalid node {name} value")
                return value

            return take

        nodes = told("cpu/nodes", count("cpu nodes"), node.nodes)
        sockets = told("cpu/sockets", count("cpu sockets"), node.sockets)
        cores = told("cpu/cores", count("cpu cores"), node.cores)
        threads = told("cpu/threads", count("cpu threads"), node.threads)
        cpus = nodes * sockets * cores * threads
        active = min(told("cpu/active", count("cpu active"), cpus), cpus)
        mhz = told("cpu/mhz", count("cpu mhz"), node.mhz)
        model = told("cpu/model", str, node.model)
        if len(model.encode("utf-8")) > _MODEL_LENGTH:
            raise internal(f"Model {model} too big for destination")
        memory = told("memory", count("memory"), node.memory)
        self._world.node = NodeInfo(model, memory, active, mhz, nodes, sockets, cores, threads)

    def _domain(self, text: str) -> None:
        world = self._world
        definition = world.parse(text)
        state = definition.test
        domain, _ = world.domains.add(definition)
        domain.persistent = state is None or not state.transient
        domain.managedSave = state is not None and state.hasManagedSave
        threads = threadNumbers(definition)
        if threads:
            domain.extra.threads.extend(map(Polling, threads))
        if state is not None:
            for node in state.snapshots:
                self._snapshot(domain, node)
            if state.snapshots and not domain.extra.snapshots.consistent():
                raise internal(
                    f"Snapshots have inconsistent relations for domain {definition.name}"
                )
        runstate = c.VIR_DOMAIN_RUNNING if state is None else state.runstate
        if runstate != c.VIR_DOMAIN_SHUTOFF:
            world.start(domain, 0)
        domain.state, domain.reason = runstate, 0

    def _snapshot(self, domain: Domain, node: Any) -> None:
        """Put in a snapshot; it may lack what the domain was."""
        root = self._resolved(node)
        plain = etree.fromstring(etree.tostring(root, with_tail=False))
        for each in plain.iter():
            if isinstance(each.tag, str):
                each.tag = each.tag.rpartition("}")[2]
        snapshot = readSnapshot(
            self._world, etree.tostring(plain, encoding="unicode"), redefine=True
        )
        found = plain.find("active")
        current = None if found is None else number(xmlText(found), signed=True)
        if current is None:
            raise internal("Could not find 'active' element", ErrorDomain.DOMAIN_SNAPSHOT)
        moments = domain.extra.snapshots
        moments.add(snapshot)
        if current:
            if moments.current is not None:
                raise internal("more than one snapshot claims to be active")
            moments.current = snapshot.name


def _users(root: Any) -> list[tuple[str, str | None]]:
    """Return who may open it, with their passwords if they have one."""
    found = []
    for node in root.findall("auth/user"):
        name = xmlText(node)
        if not name:
            raise bad("missing username in /node/auth/user field")
        found.append((name, node.get("password")))
    return found


def worldFromFile(world: World, path: str) -> list[tuple[str, str | None]]:
    """
    Make a world what a file says.

    @return: who may open it, with their passwords if they have one; nobody: everybody may.
    @raise VirtError: the file cannot be read, or says something impossible.
    """
    root = readDocument(path)
    if localName(root) != "node":
        raise bad(f"expecting root element of 'node', not '{localName(root)}'", ErrorDomain.XML)
    if root.tag != "node":
        root = etree.Element("node")  # libvirt looks for what is in a node of no namespace
    _Reader(world, path).read(root)
    return _users(root)
