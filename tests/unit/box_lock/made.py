"""Locks for tests: small, valid, and the same every time."""

from sandbox.box_lock.model import (
    BoxLock,
    FromBase,
    LockedBase,
    LockedDeb,
    LockedFile,
    LockedInput,
    MachineLock,
)

SUM = "ab" * 32
POOL = "http://mirror.example/debian/pool"


def deb(
    name: str, version: str = "1.0-1", *, in_base: bool = False, sha256: str = SUM
) -> LockedDeb:
    file_name = f"{name}_{version.replace(':', '%3a')}_amd64.deb"
    return LockedDeb(
        name=name,
        version=version,
        architecture="amd64",
        file_name=file_name,
        sha256=sha256,
        size_bytes=7,
        url=f"{POOL}/{file_name}",
        in_base=in_base,
    )


def base(name: str, version: str = "1.0-1") -> FromBase:
    return FromBase(name=name, version=version, architecture="amd64")


def r_package(name: str, version: str = "1.0", **more: object) -> LockedFile:
    content: dict[str, object] = {
        "kind": "r_package",
        "name": name,
        "version": version,
        "r": "4.2.2",
        "file_name": f"{name}_{version}.tar.gz",
        "sha256": SUM,
        "size_bytes": 9,
        "url": f"https://c.example/cran/src/contrib/{name}_{version}.tar.gz",
    }
    return LockedFile.model_validate({**content, **more})


def machine(**more: object) -> MachineLock:
    made = MachineLock(
        date="2026-11-27",
        base=LockedBase(name="debian-12", image="f00d"),
        inputs=(LockedInput(name="app: faithful", sha256=SUM),),
        debs=(deb("jq"), deb("libc6", "2.36-9", in_base=True)),
        from_base=(base("libjq1"), base("perl", "5.36.0-7")),
        files=(r_package("jsonlite", needs=("ab",)), r_package("ab")),
        debian_packages=("libcurl4",),
    )
    return made.model_copy(update=more)


def box_lock(**more: object) -> BoxLock:
    return BoxLock(sandbox="1.0", machines={"debian-12 x86_64": machine(**more)})


def dpkg(*packages: tuple[str, str]) -> str:
    """What `dpkg-query` says of these."""
    return "".join(f"ii \t{name}\t{version}\tamd64\n" for name, version in packages)
