"""A lock as a bill of materials: CycloneDX 1.6 in JSON. The same lock gives the same text."""

from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from sandbox.box_lock.model import FromBase, LockedDeb, LockedFile, MachineLock

_HTTP: Final = ("https://", "http://")


def cyclonedx(machine: MachineLock, *, name: str, release: str) -> str:
    """Write the bill of materials of a machine.

    Args:
        machine: its lock.
        name: the box's name.
        release: the distribution and its release: debian-12.
    """
    distribution = release.partition("-")[0]
    top = Component(type=ComponentType.OPERATING_SYSTEM, name=name, version=machine.date)
    top.bom_ref.value = f"machine of {name}"
    base = Component(type=ComponentType.OPERATING_SYSTEM, name=machine.base.name)
    base.bom_ref.value = f"base {machine.base.name}"
    base.properties.add(Property(name="sandbox:image", value=machine.base.image))
    parts = [base, *(_file(one) for one in machine.files)]
    new = {(one.name, one.architecture) for one in machine.debs if not one.in_base}
    parts += [_deb(one, distribution, release) for one in machine.debs]
    parts += [
        _deb(one, distribution, release)
        for one in machine.from_base
        # What is replaced is not in the finished machine
        if (one.name, one.architecture) not in new
    ]
    # Two packages may be there twice: from the base, and newer
    found = {str(one.bom_ref.value): one for one in parts}
    bom = Bom(components=found.values())
    bom.metadata = BomMetaData(component=top, timestamp=_noon(machine.date))
    content = "\n".join(sorted(found))
    bom.serial_number = uuid5(NAMESPACE_URL, f"{name} {machine.date} {content}")
    bom.register_dependency(top, found.values())
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _noon(date: str) -> datetime:
    return datetime.strptime(date, "%Y-%m-%d").replace(hour=12, tzinfo=UTC)


def _deb(one: LockedDeb | FromBase, distribution: str, release: str) -> Component:
    purl = PackageURL(
        "deb",
        distribution,
        one.name,
        one.version,
        qualifiers={"arch": one.architecture, "distro": release},
    )
    sha256, url = (one.sha256, one.url) if isinstance(one, LockedDeb) else ("", "")
    return _component(purl, ComponentType.LIBRARY, sha256, url)


def _file(one: LockedFile) -> Component:
    is_package = one.kind == "r_package"
    kind = ComponentType.LIBRARY if is_package else ComponentType.APPLICATION
    found = _component(_purl(one), kind, one.sha256, one.url)
    if is_package:
        # One R's package is not another one's
        found.bom_ref.value = f"{found.bom_ref.value} for R {one.r}"
        found.properties.add(Property(name="sandbox:r", value=one.r))
    return found


def _purl(one: LockedFile) -> PackageURL:
    remote = dict(one.remote)
    owner, repo, commit = (remote.get(f"Remote{key}") for key in ("Username", "Repo", "Sha"))
    if one.kind != "r_package":
        return PackageURL("generic", None, one.name, one.version)
    if remote.get("RemoteType") == "github" and owner and repo and commit:
        return PackageURL("github", owner, repo, commit)
    if one.url.startswith(_HTTP):
        return PackageURL("cran", None, one.name, one.version)
    return PackageURL("generic", None, one.name, one.version)


def _component(purl: PackageURL, kind: ComponentType, sha256: str, url: str) -> Component:
    version = purl.version
    made = Component(type=kind, name=purl.name, version=version, purl=purl)
    made.bom_ref.value = purl.to_string()
    if sha256:
        made.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=sha256))
    if url.startswith(_HTTP):
        reference = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(url))
        made.external_references.add(reference)
    return made
