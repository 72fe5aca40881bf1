"""The certificates that programs of the machine trust."""

import re

from sandbox.facts.compare import Value
from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsPart, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, Subject
from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import MalformedError, path, plain, whole

_HEX = re.compile(r"[0-9a-f]{0,64}")


class CaBundle(FactsPart):
    """The certificates that programs of this machine trust."""

    path: str
    sha256: str | None
    certificates: int | None
    local: tuple[str, ...]
    """File names of certificates that were added here, such as a company's own."""


class LocalCertificates(ListPart[str]):
    """Whom the certificates name that were added here."""


def _check(section: Section) -> None:
    file, digest, count = (*section.args, "", "")[:3]
    path(file, "the bundle's path")
    if not _HEX.fullmatch(digest):
        raise MalformedError("the bundle's checksum")
    if count:
        whole(count, "how many certificates there are")
    for line in section.lines:
        plain(line, "a certificate's file name")


def _check_subject(line: str) -> None:
    plain(line, "whom a certificate names")


def _parse(frame: Frame) -> CaBundle | None:
    """The certificates that the machine trusts."""
    section = frame.first("certificates")
    if section is None:
        return None
    path, digest, count = (*section.args, "", "", "")[:3]
    return CaBundle(
        path=path,
        sha256=digest or None,
        certificates=int(count) if count.isdecimal() else None,
        local=tuple(sorted(line for line in section.lines if line)),
    )


def _parse_names(frame: Frame) -> LocalCertificates | None:
    section = frame.first("certificate-subjects")
    if section is None:
        return None
    return LocalCertificates(tuple(sorted(line for line in section.lines if line)))


def _read(facts: Facts) -> Reading:
    """The certificates that programs trust, and those added by hand."""
    bundle = facts.get(CaBundle)
    if bundle is None:
        return {"trusted": "none"}
    found: dict[str, Value] = {"added here": frozenset(bundle.local)}
    if bundle.sha256:
        found["trusted"] = f"{bundle.certificates} ({bundle.sha256[:12]})"
    return found


def _read_names(facts: Facts) -> Reading:
    names = facts.get(LocalCertificates)
    if names is None:
        raise CannotReadError("there is no openssl to read certificates")
    return {"": frozenset(names)}


CERTIFICATES = Subject(
    name="ca_bundle",
    rank=180,
    part=CaBundle,
    sections={"certificates": Shape(_check, (1, 3))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "certificates",
            Consequence.FAILS,
            130,
            title="the certificates that are trusted",
            how="exact",
            why="https to the company's own servers fails where its certificate is not known",
            bug="openssl/openssl/issues/2833",
            read=_read,
        ),
    ),
)
LOCAL_CERTIFICATES = Subject(
    name="local_certificates",
    rank=181,
    part=LocalCertificates,
    sections={"certificate-subjects": Shape(rows(_check_subject))},
    parse=_parse_names,
    kinds=(
        kind_of_machine(
            "certificate-names",
            Consequence.FAILS,
            131,
            title="whom the certificates name that were added here",
            how="set",
            why="https to the company's own servers fails where its certificate is not known",
            bug="openssl/openssl/issues/2833",
            read=_read_names,
        ),
    ),
)
