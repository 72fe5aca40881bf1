import pytest

from sandbox.facts.answer import parse_answer
from sandbox.facts.facts import Facts
from sandbox.facts.subjects.certificates import CaBundle
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.fonts import Fonts
from sandbox.facts.subjects.objects import LinkedLibraries, LinkedLibrary, UnresolvedObjects
from sandbox.facts.subjects.odbc import OdbcDriver, OdbcDrivers
from sandbox.facts.subjects.packages import PackageManager, SystemPackage, SystemPackages
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.tools import Program, Programs
from sandbox.facts.subjects.units import Units
from sandbox.facts.subjects.user_libraries import UserLibraries, UserPackage
from sandbox.probe.frame import read_frame


def facts(*lines: str) -> Facts:
    """Of a machine that said just this; `@name` begins a section."""
    text = "\n".join(
        "\nB\tsection\t" + line[1:].replace("|", "\t") if line.startswith("@") else line
        for line in (*lines, "@end")
    )
    return parse_answer(read_frame(text, "B"))


def test_nothing_said_is_nothing_known() -> None:
    empty = facts()
    assert empty.get(Programs) is None
    assert empty.get(Fonts) is None
    assert empty.get(SystemPackages) is None
    assert empty.get(PackageManager) is None
    assert empty.get(LinkedLibraries) is None
    assert empty.get(Units) is None


def test_debian_packages_that_matter() -> None:
    found = facts(
        "@dpkg",
        "ii \tbash\t5.2\trequired",
        "ii \tr-base-core\t4.2.2-2\toptional",
        "ii \thtop\t3.2\toptional",
        "ii \tlibfoo1\t1.0\toptional",
        "rc \tr-gone\t1.0\toptional",
        "@apt-auto",
        "libfoo1",
        "r-base-core",
    )
    assert found.get(PackageManager) == "dpkg"
    assert found.get(SystemPackages) == (
        SystemPackage(name="r-base-core", version="4.2.2-2", manual=False),
        SystemPackage(name="htop", version="3.2", manual=True),
    )


@pytest.mark.parametrize(
    ("state", "is_there"),
    [
        ("ii ", True), ("hi ", True), ("ri ", True), ("pi ", True), ("iW ", True), ("it ", True),
        ("rc ", False), ("un ", False), ("iU ", False), ("iF ", False), ("hc ", False),
        ("iH ", False),
    ],
)  # fmt: skip
def test_what_is_wanted_of_a_package_does_not_say_what_is(state: str, is_there: bool) -> None:
    found = facts("@dpkg", f"{state}\tr-base-core\t4.2.2-2\toptional").get(SystemPackages)
    assert found is not None
    assert [one.name for one in found] == (["r-base-core"] if is_there else [])


def test_rpm_packages_that_matter() -> None:
    found = facts("@rpm", "bash\t5.1-9", "R-core\t4.4.1-1.el9", "flexiblas\t3.0.4-8")
    assert found.get(PackageManager) == "rpm"
    assert [one.name for one in found.get(SystemPackages) or ()] == ["R-core", "flexiblas"]


def test_versions_of_programs() -> None:
    found = facts(
        "@tools",
        "pandoc\t/usr/bin/pandoc\t2.17.1.1",
        "gcc\t/usr/bin/x86_64-linux-gnu-gcc-12\t12.2.0",
        "odd\t/usr/bin/odd\t",
    )
    assert {one.name: one.version for one in found[Programs]} == {
        "pandoc": "2.17.1.1",
        "gcc": "12.2.0",
        "odd": None,
    }
    assert Program(name="odd", path="/usr/bin/odd", version=None) in found[Programs]


def test_odbc_drivers_and_whether_their_libraries_are_there() -> None:
    found = facts(
        "@odbcinst|/etc/odbcinst.ini",
        "ODBC Drivers.FreeTDS\tInstalled",
        "FreeTDS.Description\t<not taken: 9-16 characters>",
        "FreeTDS.Driver\t/usr/lib/libtdsodbc.so",
        "SQL Server.Driver\t/opt/gone.so",
        "Bare.driver\tlibmaodbc.so",
        "@odbc-libraries",
        "/usr/lib/libtdsodbc.so",
    )
    assert found.get(OdbcDrivers) == (
        OdbcDriver(name="Bare", library="libmaodbc.so", library_found=None),
        OdbcDriver(name="FreeTDS", library="/usr/lib/libtdsodbc.so", library_found=True),
        OdbcDriver(name="SQL Server", library="/opt/gone.so", library_found=False),
    )


def test_configuration_files_as_keys_and_values() -> None:
    found = facts(
        "@config|/etc/rstudio/rserver.conf",
        "www-port\t8787",
        "auth-required-user-group\tanalysts",
        "@config|/usr/lib/R/etc/Renviron.site",
        "MESSAGE\tone\\ttab, one \\\\",
        "@config|/etc/odbc.ini",
        "sales.PWD\t<not taken: 1-8 characters>",
        "sales.Driver\tFreeTDS",
    )
    settings = {one.path: one.settings for one in found.get(Configs) or ()}
    assert settings == {
        "/etc/rstudio/rserver.conf": {
            "www-port": "8787",
            "auth-required-user-group": "analysts",
        },
        "/usr/lib/R/etc/Renviron.site": {"MESSAGE": "one\ttab, one \\"},
        "/etc/odbc.ini": {"sales.PWD": "<not taken: 1-8 characters>", "sales.Driver": "FreeTDS"},
    }


def test_libraries_and_who_brought_them() -> None:
    said = "BEGIN".join(
        (
            "",
            "\nB\tbegin\nB\tfact\tobjects_checked\t2\n"
            "B\tfact\tlinked\t/usr/lib/libicuuc.so.72\tlibicu72\n"
            "B\tfact\tlinked\t/opt/own/libx.so\t\n"
            "B\tfact\thome\t/usr/lib/R\nB\tend-of-facts",
        )
    )
    found = facts(
        "@dpkg",
        "ii \tlibicu72\t72.1-3\toptional",
        "@r-found|/usr/bin/R",
        "@r-view|login|login|/usr/lib/R|0|",
        said,
    )
    assert found.get(LinkedLibraries) == (
        LinkedLibrary(path="/usr/lib/libicuuc.so.72", package="libicu72", version="72.1-3"),
        LinkedLibrary(path="/opt/own/libx.so", package=None, version=None),
    )


def test_an_r_that_was_stopped_among_the_libraries_has_told_the_rest() -> None:
    found = facts(
        "@r-found|/usr/bin/R",
        "@r-view|login|login|/usr/lib/R|124|",
        "BEGIN\nB\tbegin\nB\tfact\thome\t/usr/lib/R\n"
        "B\tfact\tpackage\tshiny\t1.7.4\t/usr/lib/R/library\t4.2.2\nB\tend-of-facts",
    )
    assert [one.name for one in found[RInstallations][0].views[0].packages] == ["shiny"]
    assert found.get(UnresolvedObjects) is None
    assert "libraries of R's packages (login): R did not answer in time" in [
        f"{one.what}: {one.why}" for one in found.not_seen
    ]


def test_other_sections() -> None:
    found = facts(
        "@user-libraries",
        "anna\tdata.table\t1.14.0\t/home/anna/R/x86_64-pc-linux-gnu-library/4.2",
        "@certificates|/etc/ssl/certs/ca-certificates.crt|abc|148",
        "company.crt",
        "@units",
        "@unit|shiny-server.service",
        "User\troot",
        "PrivateTmp\tyes",
        "Environment.API_TOKEN\t<not taken: 1-8 characters>",
        "Environment.LANG\tC",
        "@fonts",
        "DejaVuSans.ttf",
    )
    assert found[UserLibraries] == (
        UserPackage(
            user="anna",
            name="data.table",
            version="1.14.0",
            library="/home/anna/R/x86_64-pc-linux-gnu-library/4.2",
        ),
    )
    assert (found[CaBundle].certificates, found[CaBundle].local) == (148, ("company.crt",))
    assert found[Units][0].settings == {
        "User": "root",
        "PrivateTmp": "yes",
        "Environment.API_TOKEN": "<not taken: 1-8 characters>",
        "Environment.LANG": "C",
    }
    assert found.get(Fonts) == ("DejaVuSans.ttf",)
