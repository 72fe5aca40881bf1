"""Bundles for tests: small, valid, and the same every time."""

import hashlib
import io
from collections.abc import Mapping

from sandbox.bundle.form import write_bundle
from sandbox.bundle.model import Blob, BundledBase, Manifest, Role, Tree, TreeFile

FILES: dict[tuple[Role, str], bytes] = {
    ("base-image", "meta.tar"): b"metadata",
    ("base-image", "root.tar"): b"the root\n" * 200,
    ("box", "x.yml"): b"version: 1\nbase: debian-12\n",
    ("lock", "x.lock.yml"): b"",
    ("deb", "tree_2-1_amd64.deb"): b"t" * 512,
    ("app", "apps/a/app.R"): b"library(shiny)\n",
}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blobs(files: Mapping[tuple[Role, str], bytes] = FILES) -> tuple[Blob, ...]:
    found = [
        Blob(sha256=sha(data), size_bytes=len(data), role=role, name=name)
        for (role, name), data in files.items()
    ]
    return tuple(sorted(found, key=lambda one: one.sha256))


def manifest(files: Mapping[tuple[Role, str], bytes] = FILES, **more: object) -> Manifest:
    tree = [
        TreeFile(path=name, sha256=sha(data))
        for (role, name), data in files.items()
        if role in {"box", "lock", "app"}
    ]
    base = [sha(data) for (role, _), data in files.items() if role == "base-image"]
    made = Manifest(
        sandbox="1.0",
        recipe="ab" * 32,
        box_name="x",
        plan_key="0123456789ab",
        architecture="x86_64",
        base=BundledBase(provider="fake", name="debian-12", identity="f0" * 32, files=tuple(base)),
        tree=Tree(box="x.yml", files=tuple(tree)),
        blobs=blobs(files),
    )
    return made.model_copy(update=more)


def bundle(files: Mapping[tuple[Role, str], bytes] = FILES, its: Manifest | None = None) -> bytes:
    by_sum = {sha(data): data for data in files.values()}
    stream = io.BytesIO()
    write_bundle(stream, its or manifest(files), lambda blob: iter([by_sum[blob.sha256]]))
    return stream.getvalue()
