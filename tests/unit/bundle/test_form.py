"""A bundle is read whole and right, or refused: cut off anywhere, changed anywhere, hostile."""

import io
import json
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.bundle.errors import BrokenBundleError
from sandbox.bundle.form import (
    BLOCK,
    Examined,
    header,
    looks_like_bundle,
    read_bundle,
    write_bundle,
)
from sandbox.bundle.model import Blob, Manifest, Trailer, Tree, TreeFile, TreeFolder, TreeLink
from tests.unit.bundle.made import FILES, bundle, manifest, sha

WHOLE = bundle()


def read(data: bytes) -> Examined:
    return read_bundle(io.BytesIO(data))


def blocks(name: str, data: bytes) -> bytes:
    return header(name, len(data)) + data + b"\0" * (-len(data) % BLOCK)


def put_together(text: bytes, members: list[bytes], trailer: bytes | None = None) -> bytes:
    end = Trailer.of(manifest(), text).text() if trailer is None else trailer
    parts = [blocks("manifest.json", text), *members, blocks("trailer.json", end)]
    return b"".join(parts) + b"\0" * 2 * BLOCK


def members() -> list[bytes]:
    data = {sha(one): one for one in FILES.values()}
    return [blocks(one.member, data[one.sha256]) for one in manifest().blobs]


def test_what_was_written_is_read() -> None:
    seen: dict[str, bytes] = {}

    def take(blob: Blob, content: Iterator[bytes]) -> None:
        seen[blob.name] = b"".join(content)

    told: list[int] = []
    found = read_bundle(io.BytesIO(WHOLE), take, told.append)
    assert found == Examined(manifest(), sha(manifest().text()), ())
    assert seen == {name: data for (_, name), data in FILES.items()}
    assert sum(told) == len(WHOLE)
    assert looks_like_bundle(WHOLE[:BLOCK])


def test_it_is_the_same_each_time_and_a_tar_file_for_others() -> None:
    assert bundle() == WHOLE == put_together(manifest().text(), members())
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        names = [one.name for one in tar]
        assert (names[0], names[-1]) == ("manifest.json", "trailer.json")
        assert len(names) == len(FILES) + 2
        assert {(one.mtime, one.uid, one.uname, one.mode) for one in tar} == {(0, 0, "", 0o644)}


def boundaries() -> list[int]:
    places, at = {0, 1, len(WHOLE) - 1}, 0
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        for one in tar:
            at = one.offset_data
            places |= {one.offset, one.offset + 1, at, at + one.size // 2, at + one.size}
            places.add(at + one.size + (-one.size % BLOCK))
    return sorted(places)


@pytest.mark.parametrize("size", boundaries())
def test_cut_off_at_a_boundary(size: int) -> None:
    found = read(WHOLE[:size])
    assert len(found.problems) == 1
    assert "it was cut off" in found.problems[0]


@given(st.integers(0, len(WHOLE) - 1))
def test_cut_off_anywhere(size: int) -> None:
    assert read(WHOLE[:size]).problems


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte(place: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= change
    assert read(bytes(data)).problems


@given(st.binary(max_size=2000))
def test_something_else(data: bytes) -> None:
    assert read(data).problems
    assert read(blocks("manifest.json", data)).problems


@given(st.binary(min_size=1, max_size=1500))
def test_anything_after_its_end(more: bytes) -> None:
    assert read(WHOLE + more).problems == ("there is something after its end",)


def test_every_broken_blob_is_named_and_the_others_are_given() -> None:
    data = WHOLE.replace(b"library(shiny)", b"library(shinx)").replace(b"metadata", b"metadatA")
    given_whole: list[str] = []

    def take(blob: Blob, content: Iterator[bytes]) -> None:
        for _ in content:
            pass
        given_whole.append(blob.name)

    found = read_bundle(io.BytesIO(data), take)
    assert sorted(found.problems) == [
        "apps/a/app.R (app) has other bytes than its checksum says",
        "meta.tar (base-image) has other bytes than its checksum says",
    ]
    assert len(given_whole) == len(FILES) - 2


def test_a_blob_that_nobody_reads_is_still_verified() -> None:
    data = WHOLE.replace(b"library(shiny)", b"library(shinx)")
    found = read_bundle(io.BytesIO(data), lambda *_: None)
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda parts: parts[1:], "should begin there is something else"),
        (lambda parts: parts[::-1], "should begin there is something else"),
        (lambda parts: [*parts, parts[0]], "where the trailer should begin"),
        (lambda parts: [parts[0], *parts], "should begin there is something else"),
        (lambda parts: [*parts, blocks("evil", b"x")], "where the trailer should begin"),
        (lambda parts: [*parts, blocks("trailer.json", b"{}")], "where the trailer should begin"),
    ],
)
def test_blobs_lacking_reordered_doubled_or_more(change: object, expected: str) -> None:
    assert callable(change)
    found = read(put_together(manifest().text(), change(members())))
    assert len(found.problems) == 1
    assert expected in found.problems[0]


def test_a_second_trailer() -> None:
    text = manifest().text()
    trailer = blocks("trailer.json", Trailer.of(manifest(), text).text())
    data = WHOLE[: -2 * BLOCK] + trailer + b"\0" * 2 * BLOCK
    assert read(data).problems == ("there is something after its end",)


def test_the_trailer_of_another_manifest() -> None:
    text = manifest().text().replace(b'"sandbox": "1.0"', b'"sandbox": "1.1"')
    trailer = Trailer.of(manifest(), manifest().text()).text()
    found = read(put_together(text, members(), trailer))
    assert found.problems == ("the trailer is not that of this manifest: one of them was changed",)


def member_of(**changes: object) -> bytes:
    first = manifest().blobs[0]
    entry = tarfile.TarInfo(first.member)
    entry.size, entry.mtime = first.size_bytes, 0
    for key, value in changes.items():
        setattr(entry, key, value)
    data = {sha(one): one for one in FILES.values()}[first.sha256]
    return entry.tobuf(tarfile.GNU_FORMAT) + data + b"\0" * (-len(data) % BLOCK)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "manifest.json"},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1},
        {"name": "../../etc/cron.d/x"},
        {"name": "/etc/passwd"},
        {"size": 8 * 1024**3},
        {"mode": 0o4755},
        {"uname": "root"},
        {"mtime": 1},
    ],
)
def test_a_member_that_is_not_ours(changes: dict[str, object]) -> None:
    found = read(put_together(manifest().text(), [member_of(**changes), *members()[1:]]))
    assert len(found.problems) == 1
    assert "should begin there is something else" in found.problems[0]


def test_a_member_like_ours_is_taken() -> None:
    """The test above changes one thing each."""
    assert read(put_together(manifest().text(), [member_of(mode=0o644), *members()[1:]])) == read(
        WHOLE
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda it: it["tree"]["files"][0].update(path="../x"), "no path inside"),
        (lambda it: it["tree"]["files"][0].update(path="/x"), "no path inside"),
        (lambda it: it["tree"]["files"][0].update(path="a//x"), "no path inside"),
        (lambda it: it["tree"]["files"][1].update(path="x.yml/a"), "lies in something that is no"),
        (lambda it: it["tree"].update(box="y.yml"), "the box itself is not there"),
        (lambda it: it["blobs"].reverse(), "not sorted"),
        (lambda it: it["blobs"].append(it["blobs"][-1]), "is there twice"),
        (lambda it: it["base"]["files"].append("0" * 64), "1 files are named"),
        (lambda it: it["blobs"][0].update(size_bytes=2**60), "less than or equal"),
        (lambda it: it["blobs"][0].update(sha256="../" * 21 + "x"), "pattern"),
        (lambda it: it.update(format=2), "Input should be 1"),
        (lambda it: it.update(more=1), "Extra inputs"),
    ],
)
def test_a_hostile_manifest(change: object, expected: str) -> None:
    assert callable(change)
    content = json.loads(manifest().text())
    change(content)
    found = read(put_together(json.dumps(content).encode(), members()))
    assert len(found.problems) == 1
    assert found.manifest is None
    assert found.problems[0].startswith("the manifest cannot be read")
    assert expected in found.problems[0]


def test_a_deep_or_endless_manifest() -> None:
    assert "cannot be read" in read(blocks("manifest.json", b"[" * 100_000)).problems[0]
    assert "something else" in read(header("manifest.json", 10**10)).problems[0]


def test_another_file_while_it_is_written() -> None:
    with pytest.raises(BrokenBundleError, match="was changed while"):
        write_bundle(io.BytesIO(), manifest(), lambda _: iter([b"other"]))


LINKS = [
    ("a/b", "c", True),
    ("a/b", "../c", True),
    ("a/b", "./c/d/", True),
    ("a/b", "c/../d", False),
    ("a/b", "../../c", False),
    ("b", "..", False),
    ("a/b", "/etc/passwd", False),
    ("a/b", "x/../../../a", False),
]


@pytest.mark.parametrize(("path", "target", "inside"), LINKS)
def test_links_stay_inside(path: str, target: str, inside: bool) -> None:
    def made() -> Tree:
        box = TreeFile(path="x.yml", sha256="ab" * 32)
        return Tree(box="x.yml", files=(box,), links=(TreeLink(path=path, target=target),))

    if inside:
        assert made().links[0].target == target
        return
    with pytest.raises(ValidationError, match="leads out of the box's folder"):
        made()


def test_nothing_lies_below_a_link() -> None:
    files = (TreeFile(path="x.yml", sha256="ab" * 32), TreeFile(path="l/x", sha256="ab" * 32))
    with pytest.raises(ValidationError, match="no folder"):
        Tree(box="x.yml", files=files, links=(TreeLink(path="l", target="."),))
    with pytest.raises(ValidationError, match="twice"):
        Tree(box="x.yml", files=files, folders=(TreeFolder(path="l/x"),))


def test_a_large_blob_has_a_header_too() -> None:
    """More than the 8 GB that the oldest form of tar can say."""
    entry = tarfile.TarInfo.frombuf(header("blobs/sha256/x", 9 * 1024**3), "ascii", "strict")
    assert entry.size == 9 * 1024**3


def test_the_manifest_says_the_same_after_reading() -> None:
    assert Manifest.model_validate_json(manifest().text()) == manifest()
