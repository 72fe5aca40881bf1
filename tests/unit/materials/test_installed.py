"""Which files a machine is sent: those that it lacks, and those that it compiles again."""

from sandbox.materials.installed import lacking, mark
from sandbox.obtained import Materials, Obtained


def package(
    name: str, *needs: str, r: str = "4.2.2", sha256: str = "", binary: bool = False
) -> Obtained:
    return Obtained(
        kind="r_package",
        name=name,
        version="1.0",
        file_name=f"{name}_1.0.tar.gz",
        url=f"https://cloud.r-project.org/src/contrib/{name}_1.0.tar.gz",
        sha256=sha256 or name,
        size_bytes=1,
        r=r,
        is_binary=binary,
        needs=needs,
    )


def names(files: tuple[Obtained, ...], installed: tuple[Obtained, ...]) -> list[str]:
    text = "".join(f"{mark(one)}\n" for one in installed)
    return [one.name for one in lacking(Materials(files=files), text)]


def test_what_is_installed_is_not_sent_again() -> None:
    one, other = package("one"), package("other", "one")
    assert names((one, other), ()) == ["one", "other"]
    assert names((one, other), (one,)) == ["other"]
    assert names((one, other), (one, other)) == []


def test_each_r_gets_its_own_copy() -> None:
    assert names((package("one", r="4.0.4"), package("one")), (package("one", r="4.0.4"),)) == [
        "one"
    ]


def test_sources_come_again_when_what_they_need_is_another_one() -> None:
    before = (
        package("low", sha256="old"),
        package("mid", "low"),
        package("high", "mid"),
        package("binary", "low", binary=True),
        package("after", "binary"),
        package("mid", "low", r="4.0.4"),
    )
    after = (package("low", sha256="new"), *before[1:])
    assert names(after, before) == ["low", "mid", "high"]


def test_other_words_of_the_lock_are_written_into_the_package() -> None:
    one = package("one")
    told = one.model_copy(update={"remote": (("RemoteSha", "abc"),)})
    assert names((told,), (one,)) == ["one"]
