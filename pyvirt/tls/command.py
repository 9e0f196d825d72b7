"""
C{pyvirt-pki}: certificates for TLS between libvirt's clients and daemons, in one command or one by one.

    pyvirt-pki setup                 everything for this host: authority, server and client certificate
    pyvirt-pki server NAME...        a server's certificate, for these host names and addresses
    pyvirt-pki client NAME           a client's certificate
    pyvirt-pki revoke FILE...        take certificates back
    pyvirt-pki show FILE...          names, purposes and validity
"""

from __future__ import annotations

import argparse
import getpass
import os
import socket
import sys
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pyvirt.errors import VirtError
from pyvirt.tls.checks import load
from pyvirt.tls.issuing import Issued, authority, issue, revocations, writeFile
from pyvirt.tls.names import distinguishedName
from pyvirt.tls.places import Places, systemFiles, userFolder

__all__ = ["main"]


class _Problem(Exception):
    """What the user can repair."""


class Folder:
    """
    Where files are written: the system's places, or one folder that holds them all.

    @ivar flat: the folder, None: C{/etc/pki} as libvirt has it.
    """

    def __init__(self, flat: str | None, root: str) -> None:
        self.flat = flat
        self.root = root

    def path(self, name: str) -> str:
        """Return where C{cacert}, C{cacrl}, C{cakey}, C{servercert}, C{serverkey}... lies."""
        if self.flat is not None:
            return os.path.join(self.flat, f"{name}.pem")
        if name == "cakey":
            return os.path.join(self.root, "etc/pki/CA/private/cakey.pem")
        role = name.removesuffix("cert").removesuffix("key")
        files = systemFiles(self.root, role)
        return {"cacert": files[0], "cacrl": files[1]}.get(
            name, files[2] if name.endswith("cert") else files[3]
        )

    def signer(self) -> Issued:
        """Read the authority."""
        paths = self.path("cacert"), self.path("cakey")
        try:
            with open(paths[0], "rb") as file:
                certificate = x509.load_pem_x509_certificate(file.read())
            with open(paths[1], "rb") as file:
                key = serialization.load_pem_private_key(file.read(), None)
        except OSError as problem:
            raise _Problem(
                f"{problem.filename}: {problem.strerror}; 'pyvirt-pki setup' makes an authority"
            ) from None
        except (ValueError, TypeError) as problem:
            raise _Problem(f"{paths[0]}, {paths[1]}: {problem}") from None
        return Issued(certificate, key)

    def write(self, role: str, made: Issued, force: bool) -> None:
        """Write a certificate and its key, and say so."""
        for name in (f"{role}key", f"{role}cert"):
            path = self.path(name)
            if os.path.exists(path) and not force:
                raise _Problem(f"{path} exists; --force replaces it")
        for name, content, private in (
            (f"{role}key", made.keyPEM, True),
            (f"{role}cert", made.certificatePEM, False),
        ):
            path = self.path(name)
            writeFile(path, content, private=private)
            print(path)


def _hosts(given: Sequence[str]) -> list[str]:
    if given:
        return list(given)
    found = ["localhost", "127.0.0.1", "::1"]
    for name in (socket.gethostname(), socket.getfqdn()):
        if name not in found:
            found.append(name)
    return found


def _setup(options: argparse.Namespace, folder: Folder) -> None:
    hosts = _hosts(options.names)
    if not os.path.exists(folder.path("cakey")) and os.path.exists(folder.path("cacert")):
        raise _Problem(
            f"{folder.path('cacert')} is of an authority whose key is not here; name another --dir"
        )
    if not os.path.exists(folder.path("cacert")):
        name = options.authority or f"libvirt authority of {socket.gethostname()}"
        folder.write("ca", authority(name), options.force)
    signer = folder.signer()
    subject = hosts[0] if options.names else socket.gethostname()
    made = issue(signer, subject, purposes=["server"], hosts=hosts, days=options.days)
    folder.write("server", made, options.force)
    made = issue(signer, f"CN={getpass.getuser()}", purposes=["client"], days=options.days)
    folder.write("client", made, options.force)
    print(
        "The server's certificate is for: " + ", ".join(hosts),
        "Put listen_tls = 1 into the daemon's configuration, restart it, and: virsh -c \""
        f'test+tls://{hosts[0]}/default{f"?pkipath={folder.flat}" if folder.flat else ""}"',
        sep="\n",
    )


def _server(options: argparse.Namespace, folder: Folder) -> None:
    hosts = _hosts(options.names)
    subject = options.subject or hosts[0]
    made = issue(folder.signer(), subject, purposes=["server"], hosts=hosts, days=options.days)
    _out(options, folder).write("server", made, options.force)


def _client(options: argparse.Namespace, folder: Folder) -> None:
    made = issue(folder.signer(), options.name, purposes=["client"], days=options.days)
    _out(options, folder).write("client", made, options.force)
    print(f"its name, for tls_allowed_dn_list: {distinguishedName(made.certificate.subject)}")


def _out(options: argparse.Namespace, folder: Folder) -> Folder:
    """Where to write: beside the authority, or into a folder to be taken to another host."""
    if options.out is None:
        return folder
    other = Folder(options.out, folder.root)
    with open(folder.path("cacert"), "rb") as file:
        writeFile(other.path("cacert"), file.read(), private=False)
    return other


def _revoke(options: argparse.Namespace, folder: Folder) -> None:
    signer = folder.signer()
    path = folder.path("cacrl")
    before = None
    if os.path.exists(path):
        with open(path, "rb") as file:
            before = x509.load_pem_x509_crl(file.read())
    revoked = []
    for each in options.files:
        found = _read(each)[0]
        if found.issuer != signer.certificate.subject:
            raise _Problem(f"{each} is not signed by this authority")
        revoked.append(found)
    writeFile(path, revocations(signer, revoked, before=before), private=False)
    print(
        f"{path}\nDaemons read it when they start, or when they are told to read their TLS files."
    )


def _read(path: str) -> list[x509.Certificate]:
    return load(Places(authority=path), "client").authorities


def _show(options: argparse.Namespace, folder: Folder) -> None:
    for path in options.files:
        for each in _read(path):
            print(f"{path}:\n  name: {distinguishedName(each.subject)}")
            print(f"  signed by: {distinguishedName(each.issuer)}")
            try:
                found = each.extensions.get_extension_for_class(x509.SubjectAlternativeName)
                print(f"  for: {', '.join(str(name.value) for name in found.value)}")
            except x509.ExtensionNotFound:
                pass
            print(f"  valid: {each.not_valid_before_utc} to {each.not_valid_after_utc}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyvirt-pki", description="Make certificates for libvirt's TLS."
    )
    parser.add_argument(
        "--dir", help="one folder for all files; default: root's are in /etc/pki, as libvirt has it"
    )
    parser.add_argument("--root", default="/", help="folder that stands for /")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(act=act)
        return added

    def making(added: argparse.ArgumentParser) -> None:
        added.add_argument("--days", type=int, default=1095, help="how long it is valid (1095)")
        added.add_argument("--force", action="store_true", help="replace files that exist")

    setup = command("setup", _setup, "authority, server's and client's certificate for this host")
    setup.add_argument("names", nargs="*", help="host names and addresses (this host's)")
    setup.add_argument("--authority", help="name of the authority, as CN or O=...,CN=...")
    making(setup)
    server = command("server", _server, "a server's certificate")
    server.add_argument("names", nargs="+", help="host names and addresses")
    server.add_argument("--subject", help="its name (the first host)")
    server.add_argument("--out", help="folder to write to, with the authority's certificate")
    making(server)
    client = command("client", _client, "a client's certificate")
    client.add_argument("name", help="its name, as CN or O=...,CN=...")
    client.add_argument("--out", help="folder to write to, with the authority's certificate")
    making(client)
    revoke = command("revoke", _revoke, "take certificates back: add them to the revocation list")
    revoke.add_argument("files", nargs="+")
    show = command("show", _show, "say what is in certificates")
    show.add_argument("files", nargs="+")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    flat = options.dir
    if flat is None and os.geteuid() and options.root == "/":
        flat = userFolder(os.path.expanduser("~"))
    try:
        options.act(options, Folder(flat, options.root))
    except (_Problem, VirtError, ValueError) as problem:
        print(f"pyvirt-pki: {problem}", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"pyvirt-pki: {problem.filename}: {problem.strerror}", file=sys.stderr)
        return 1
    return 0
