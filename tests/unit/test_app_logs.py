"""R's own last error is found in an app's log, in any language, and what mends it is said."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.app_logs.answer import AppLogs, logs_script, parse_logs
from sandbox.app_logs.r_errors import last_error
from sandbox.app_logs.r_words import ENGLISH, NO_FILE, NO_FUNCTION, NO_PACKAGE, RWords
from sandbox.app_logs.trouble import Trouble, trouble_with_app, trouble_with_port
from sandbox.plan import Plan
from tests.unit.factories import (
    placed,
    plain_plan,
    plain_sandbox,
    secret_plan,
    shiny_plan,
    shiny_sandbox,
)

SU = "su: ignoring --preserve-environment, it's mutually exclusive with --login\n"
NO_DT = "Error in library(DT) : there is no package called \u2018DT\u2019\n"
CALLS = "Calls: runApp ... sourceUTF8 -> eval -> library\nExecution halted\n\n"
SERVING = "\nListening on http://127.0.0.1:35217\n"
JAPANESE = " %s \u3068\u3044\u3046\u540d\u524d\u306e\u30d1\u30c3\u30b1\u30fc\u30b8 "
KOREAN = "%s\uc774\ub77c\uace0 \ubd88\ub9ac\ub294 \ud328\ud0a4\uc9c0"
SOME = RWords(
    {
        "Error in ": ("Fehler in ", " \u4ee5\u4e0b\u306b\u30a8\u30e9\u30fc "),
        "Error in %s : ": ("Fehler in %s : ", " %s \u3067\u30a8\u30e9\u30fc: "),
        "Warning in %s :": ("Warnung in %s",),
        "Execution halted\n": ("Ausf\u00fchrung angehalten\n",),
        "Calls:": ("Ruft auf:",),
        NO_PACKAGE: (
            "es gibt kein Paket namens %s",
            "aucun package nomm\u00e9 %s n'est trouv\u00e9",
            JAPANESE,
            KOREAN,
        ),
        NO_FILE: (
            "kann Datei '%s' nicht \u00f6ffnen: %s",
            "\ud30c\uc77c '%1$s'\ub97c \uc5ec\ub294\ub370: %2$s",
        ),
    }
)


def logs_of(text: str, *, app: str = "faithful", **more: Any) -> AppLogs:
    log = {"path": f"/var/log/{app}.log", "age_s": 1, "end": len(text), "text": text}
    return AppLogs.model_validate({"apps": {app: [{**log, "earlier": False}]}, **more})


def trouble(text: str, plan: Plan | None = None, **more: Any) -> Trouble:
    found = trouble_with_app(
        placed(plan or shiny_plan()), "faithful", logs_of(text, **more), within_s=5
    )
    assert found is not None
    return found


def test_an_error_at_start_is_shown_without_noise() -> None:
    found = last_error(SU + NO_DT + CALLS, ENGLISH)
    assert found is not None
    assert found.lines == (NO_DT.strip(),)
    assert found.title == NO_DT.strip()
    assert not found.serves


def test_the_warning_that_led_to_an_error_is_shown_with_it() -> None:
    text = (
        "Attaching package: \u2018shiny\u2019\n"
        "Warning in file(file) :\n  cannot open file 'x.csv': No such file or directory\n"
        "Error in file(file) : cannot open the connection\n"
    )
    found = last_error(SU + text + CALLS, ENGLISH)
    assert found is not None
    assert found.lines[0] == "Warning in file(file) :"
    assert found.title == "Error in file(file) : cannot open the connection"
    assert len(found.lines) == 3


def test_the_last_error_of_a_running_app_is_the_one() -> None:
    text = (
        f"{SU}{SERVING}Warning: Error in renderText: the first\n  98: stop\n   1: runApp\n"
        "Warning: Error in renderText: my own\nlong message\n  98: stop\n"
        "  97: renderText [/srv/releases/a/1/app.R#7]\n   1: runApp\n"
    )
    found = last_error(text, ENGLISH)
    assert found is not None
    assert found.serves
    assert found.lines == (
        "Warning: Error in renderText: my own",
        "long message",
        "at /srv/releases/a/1/app.R, line 7",
    )


def test_a_server_function_that_ends_the_app_tells_where() -> None:
    text = (
        f"{SU}{SERVING}Warning: Error in library: there is no package called \u2018DT\u2019\n"
        f"  38: server [/srv/releases/a/1/app.R#2]\n   1: runApp\n{NO_DT}"
    )
    found = last_error(text, ENGLISH)
    assert found is not None
    assert found.lines[-1] == "at /srv/releases/a/1/app.R, line 2"
    assert NO_DT.strip() in found.lines


def test_an_app_that_serves_and_complains_of_nothing_has_no_error() -> None:
    assert last_error(f"{SU}{SERVING}a line of its own\n", ENGLISH) is None


def test_a_silent_end_and_a_killed_app_are_told() -> None:
    assert "ended without a word" in trouble(SU).advice
    killed = trouble(f"{SU}Killed\n\n")
    assert killed.message == "the app faithful does not start: Killed"
    assert "memory_mb: 1024" in killed.advice
    assert "the kernel ended it" in trouble(f"{SU}Killed\n", out_of_memory=True).advice


def test_what_is_long_is_cut() -> None:
    found = last_error("Error: " + "x" * 5000 + "\n" + "more\n" * 500, ENGLISH)
    assert found is not None
    assert len(found.title) <= 300
    assert sum(map(len, found.lines)) < 1000


def test_escapes_do_not_get_in() -> None:
    log = {"path": "/x", "age_s": 0, "end": 9, "text": "\x1b[2Jx", "earlier": False}
    answer = json.dumps({"apps": {"a": [log]}})
    assert "\x1b" not in parse_logs(answer).apps["a"][0].text


def test_an_answer_of_another_shape_is_refused_whole() -> None:
    for text in ("", "[]", '{"apps": {"a": "x"}}', '{"more": 1}', '{"apps": {}, "x": {}}'):
        with pytest.raises(ValueError, match=r"."):
            parse_logs(text)


@pytest.mark.parametrize(
    ("message", "line", "name"),
    [
        (NO_PACKAGE, NO_DT, "DT"),
        (NO_PACKAGE, "there is no package called 'data.table'", "data.table"),
        (NO_PACKAGE, "es gibt kein Paket namens \u201eDT\u201c", "DT"),
        (NO_PACKAGE, "aucun package nomm\u00e9 \u2018DT\u2019 n'est trouv\u00e9", "DT"),
        (NO_PACKAGE, JAPANESE % "\u2018DT\u2019", "DT"),
        (NO_PACKAGE, KOREAN % "\u2018DT\u2019", "DT"),
        (NO_PACKAGE, "there is no package\n  called \u2018DT\u2019", "DT"),
        (NO_FUNCTION, 'could not find function "%>%"', "%>%"),
        (NO_FILE, "  cannot open file 'my data.csv': No such file", "my data.csv"),
        (NO_FILE, "  kann Datei 'x.csv' nicht \u00f6ffnen: Datei", "x.csv"),
        (NO_FILE, "\ud30c\uc77c 'x.csv'\ub97c \uc5ec\ub294\ub370: y", "x.csv"),
    ],
)
def test_names_are_read_in_every_language(message: str, line: str, name: str) -> None:
    assert SOME.names_in(message, line) == (name,)


def test_an_error_in_another_language_is_an_error() -> None:
    german = "Warnung in f(f)\n  kann Datei 'x.csv' nicht \u00f6ffnen: x\nFehler in f(f) : y\n"
    found = last_error(f"{german}Ruft auf: a -> b\nAusf\u00fchrung angehalten\n", SOME)
    assert found is not None
    assert found.known
    assert [line.split()[0] for line in found.lines] == ["Warnung", "kann", "Fehler"]
    assert SOME.begins_error("library(DT) \u3067\u30a8\u30e9\u30fc: x")
    assert not SOME.begins_error("Ein Fehler in der Mitte")


def test_an_unknown_language_shows_the_last_lines() -> None:
    found = last_error(f"{SU}Virhe: paketti puuttuu\n", ENGLISH)
    assert found is not None
    assert (found.known, found.lines) == (False, ("Virhe: paketti puuttuu",))


# What mends it


@pytest.fixture
def box(tmp_path: Path) -> Plan:
    app = tmp_path / "faithful"
    app.mkdir()
    (app / "app.R").write_text("shinyApp()\n")
    path = tmp_path / "shiny.yml"
    path.write_text(
        "version: 1\nbase: debian-12\nr:\n  packages:\n    names: [shiny]\n"
        "services:\n  shiny_server: {}\napps:\n  - {name: faithful, path: faithful}\n"
    )
    plan = shiny_plan(box_path=path)
    return plan.model_copy(update={"apps": (plan.apps[0].model_copy(update={"path": app}),)})


def test_a_missing_package_gets_its_line(box: Plan) -> None:
    advice = trouble(SU + NO_DT + CALLS, box).advice
    assert advice.startswith("add DT to r.packages.names in ")
    assert "shiny.yml:5, then sandbox up shiny" in advice


def test_a_package_that_require_did_not_find_is_the_cause(box: Plan) -> None:
    text = (
        f"Warning in library(package) :\n  there is no package called \u2018DT\u2019\n{SERVING}"
        'Warning: Error in nchar: could not find function "datatable"\n   1: runApp\n'
    )
    assert "add DT to r.packages.names" in trouble(text, box).advice


def test_a_package_that_the_box_names_is_put_back(box: Plan) -> None:
    text = "Error in library(shiny) : there is no package called \u2018shiny\u2019\n"
    assert "sandbox up shiny --provision" in trouble(text, box).advice
    assert "capitals" in trouble(text.replace("shiny", "Shiny"), box).advice


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libgdal.so.32", "libgdal32"),
        ("libproj.so.25", "libproj25"),
        ("libglpk.so.40", "libglpk40"),
        ("libodbc.so.2", "libodbc2"),
        ("libtcl8.6.so.0", "libtcl8.6-0"),
    ],
)
def test_a_missing_library_is_a_debian_package(box: Plan, library: str, package: str) -> None:
    text = (
        "Error: package or namespace load failed for \u2018sf\u2019 in dyn.load(file):\n"
        f" unable to load shared object '/usr/lib/R/x/sf.so':\n  {library}: cannot open shared "
        "object file: No such file or directory\n"
    )
    advice = trouble(text, box).advice
    assert f"{library}, by its name {package}, to system.packages in " in advice


@pytest.mark.parametrize(
    "text",
    [
        "Error: package \u2018x\u2019 was installed before R 4.0.0: please re-install it",
        "Error in loadNamespace(j) : \n  namespace \u2018rlang\u2019 1.0.2 is being loaded, "
        "but >= 1.0.6 is required",
        "Error: This is R 4.2.2, package \u2018x\u2019 needs >= 4.3.0",
    ],
)
def test_another_version_of_r_is_another_base(box: Plan, text: str) -> None:
    advice = trouble(text + "\n", box).advice
    assert "debian-12 has R 4.2.2" in advice
    assert "shiny.yml:2" in advice


def test_a_file_that_stayed_out_is_asked_for(box: Plan) -> None:
    text = "Warning in file(f) :\n  cannot open file '%s': No such file\nError in file(f) : x\n"
    folder = box.apps[0].path
    (folder / ".env").write_text("A=1")
    assert "`include: [.env]`" in trouble(text % ".env", box).advice
    assert "A path counts from the app's folder" in trouble(text % "x.csv", box).advice
    denied = text.replace("No such file", "Permission denied")
    assert "the user shiny, who may not read" in trouble(denied % "/etc/shadow", box).advice


def test_a_function_that_is_not_there(box: Plan) -> None:
    advice = trouble('Error in f() : could not find function "plotOutputt"\n', box).advice
    assert "has plotOutputt()" in advice


@pytest.mark.parametrize("size", ["7.5 Gb", "76.3 Mb", "512 Kb"])
def test_no_memory_is_more_memory(box: Plan, size: str) -> None:
    text = f"Error: cannot allocate vector of size {size}\n"
    assert "memory_mb: 1024" in trouble(text, box).advice


def test_an_error_of_its_own_is_mended_in_the_app(box: Plan) -> None:
    advice = trouble("Error in f() : my own\n", box).advice
    assert "mend it in " in advice
    assert "then sandbox up shiny" in advice


def test_an_old_log_tells_nothing() -> None:
    assert trouble_with_app(shiny_sandbox(), "faithful", logs_of(NO_DT), within_s=0.5) is None
    assert (
        trouble_with_app(shiny_sandbox(), "other", logs_of(NO_DT, app="other"), within_s=5) is None
    )


def test_who_has_the_port_is_named() -> None:
    found = trouble_with_port(shiny_sandbox(), AppLogs(listeners=("nginx",)))
    assert found is not None
    assert found.message == "port 3838 is not Shiny Server's: nginx listens on it"
    for mine in ((), ("shiny-server",), ("node",), ("nginx", "shiny-server")):
        assert trouble_with_port(shiny_sandbox(), AppLogs(listeners=mine)) is None
    assert trouble_with_port(plain_sandbox(), AppLogs(listeners=("nginx",))) is None


# The program for the machine


def program(**replaced: Any) -> dict[str, Any]:
    path = Path(__file__).parents[2] / "sandbox" / "app_logs" / "on_machine"
    text = path.read_text(encoding="utf-8").removesuffix("main()\n")
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)
    names.update(replaced)
    return names


def asked(**more: Any) -> dict[str, Any]:
    return {"starts": 1, "bytes": 1000, "after": {}, "following": False, **more}


def plain(text: str) -> str:
    return text


def test_only_the_last_start_of_just_that_app_is_read(tmp_path: Path) -> None:
    for name in (
        "a-shiny-20261127-032956-45967.log",
        "a-shiny-20261127-040000-33333.log",
        "a-b-shiny-20261128-040000-33333.log",
        "a-shiny-notes.log",
    ):
        (tmp_path / name).write_text(name)
    its = program(LOGS=str(tmp_path), SITE=str(tmp_path))
    (log,) = its["logs_of"]("a", asked(), plain)
    assert log["text"] == "a-shiny-20261127-040000-33333.log"
    (other,) = its["logs_of"]("a-b", asked(), plain)
    assert other["text"].startswith("a-b-")
    assert its["logs_of"]("none", asked(), plain) == []


def test_an_app_that_was_changed_by_hand_on_the_machine_is_told(tmp_path: Path) -> None:
    releases, site = tmp_path / "releases", tmp_path / "site"
    (releases / "abc").mkdir(parents=True)
    site.mkdir()
    for name in ("app.R", "restart.txt"):
        (releases / "abc" / name).write_text(name)
        os.utime(releases / "abc" / name, (1, 1))
    its = program(SITE=str(site))
    assert its["served"]("a") == ""
    (site / "a").symlink_to(releases / "abc")
    assert its["served"]("a") == "abc"
    (releases / "abc" / "restart.txt").write_text("again")
    later = (site / "a").lstat().st_mtime + 1
    os.utime(releases / "abc" / "restart.txt", (later, later))
    assert its["served"]("a") == "abc"
    os.utime(releases / "abc" / "app.R", (later, later))
    assert its["served"]("a") == ""


@pytest.mark.parametrize("served", ["", "another"])
def test_what_was_changed_by_hand_is_mended_by_up(served: str) -> None:
    text = SU + "Error in eval(x) : mine\n" + CALLS
    plan = shiny_plan()
    ours = {"faithful": plan.apps[0].release}
    assert "mend it in" in trouble(text, plan, served=ours).advice
    advice = trouble(text, plan, served={"faithful": served}).advice
    assert advice.startswith(f"sandbox up {plan.box_name} (")


def test_what_is_followed_comes_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a-shiny-20261127-040000-33333.log"
    path.write_text("one\ntw")
    its = program(LOGS=str(tmp_path), SITE=str(tmp_path))
    (log,) = its["logs_of"]("a", asked(following=True), plain)
    assert (log["text"], log["end"]) == ("one\n", 4)
    path.write_text("one\ntwo\n")
    (log,) = its["logs_of"]("a", asked(following=True, after={str(path): 4}), plain)
    assert (log["text"], log["end"]) == ("two\n", 8)


def test_values_of_secrets_do_not_leave_the_machine(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile.site"
    profile.write_text('options(\n  "sales.password" = "p\\"w\\u00e4rd",\n  "digits" = 7\n)\n')
    env = "SALES_DB=pg://u:p@db/sales\0TZ=Europe/Vienna\0"
    its = program(R_PROFILE=str(profile), said=lambda _: env)
    hide: Callable[[str], str] = its["hider"](["SALES_DB", "sales.password"])
    told = hide('Error: pg://u:p@db/sales refused p"w\u00e4rd, "p\\"w\u00e4rd" in Europe/Vienna')
    assert told == (
        'Error: <secret SALES_DB> refused <secret sales.password>, "<secret sales.password>" '
        "in Europe/Vienna"
    )


def test_rs_own_catalogues_are_read(tmp_path: Path) -> None:
    pairs = [
        (b"", b"Content-Type: text/plain; charset=ISO-8859-1\n"),
        (b"Error in ", "Fehler \u00fc".encode("latin-1")),
        (b"Warning message:\0Warning messages:", b"Warnmeldung:\0Warnmeldungen:"),
        (b"another", b"x"),
    ]
    place, tables, texts = 28 + 16 * len(pairs), [b"", b""], b""
    for which in (0, 1):
        for pair in pairs:
            tables[which] += struct.pack("<2I", len(pair[which]), place + len(texts))
            texts += pair[which] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    path = tmp_path / "R.mo"
    path.write_bytes(head + tables[0] + tables[1] + texts)
    its = program()
    found = list(its["catalogue"](str(path), {"Error in ", "Warning message:"}))
    assert found == [
        ("Error in ", "Fehler \u00fc"),
        ("Warning message:", "Warnmeldung:"),
        ("Warning message:", "Warnmeldungen:"),
    ]
    path.write_bytes(b"no catalogue")
    assert list(its["catalogue"](str(path), {"Error in "})) == []


def test_the_machine_is_told_which_values_are_secret_and_none_of_them() -> None:
    words = logs_script(secret_plan(), ["faithful"])
    assert '"secrets": ["CRAN", "SALES_DB", "sales.password"]' in words
    assert '"port": 3838' in words
    assert '"port": 0' in logs_script(plain_plan(), [])
