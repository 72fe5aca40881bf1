"""R on the machine: compiles a package, loads packages, each cut off from the network.

A library is made next to the one in use. While R works in it, it stands at its later place (a bind
mount that only that R sees), so that no package remembers the other path.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

_BIND = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
_LOAD = """
for (name in commandArgs(TRUE)) {
  loaded <- tryCatch({
    suppressPackageStartupMessages(loadNamespace(name))
    TRUE
  }, error = function(e) FALSE)
  cat(sprintf("\\n<%s %s>\\n", name, if (loaded) "loaded" else "failed"))
}
"""
_LAST_LINES = 30
_LONGEST_LINE = 400
_SHOWN = re.compile(r"(?i)error|fatal|cannot|undefined|not found|no such")


class Rs:
    """One R and the library that it works in."""

    def __init__(self, program, stage, library, work, logs):
        self.program, self.stage, self.library = str(program), str(stage), str(library)
        self.work, self.logs = Path(work), Path(logs)
        self.prefix, self.seen = self._way()
        self.script = self.work / "load.R"
        self.script.write_text(_LOAD)

    def _way(self):
        """How R is started, and where it finds the library: the first way that works here."""
        bound = ["/bin/sh", "-c", _BIND, "sh", self.stage, self.library]
        for prefix, seen in (
            (["unshare", "--mount", "--net", "--"] + bound, self.library),
            (["unshare", "--mount", "--"] + bound, self.library),
            (["unshare", "--net", "--"], self.stage),
        ):
            try:
                done = subprocess.run(prefix + ["true"], capture_output=True, check=False)
            except OSError:
                continue
            if done.returncode == 0:
                return prefix, seen
        return [], self.stage

    def _environment(self, place, jobs):
        home, temporary = place / "home", place / "tmp"
        for folder in (home, temporary):
            folder.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "MAKEFLAGS": "-j%d" % jobs,
            "CARGO_BUILD_JOBS": str(jobs),
            # This library and R's own: nothing of a person, nothing of another R
            "R_LIBS": self.seen,
            "R_LIBS_SITE": self.seen,
            "R_LIBS_USER": "/nonexistent",
            "R_ENVIRON": "/dev/null",
            "R_ENVIRON_USER": "/dev/null",
            "R_PROFILE": "/dev/null",
            "R_PROFILE_USER": "/dev/null",
        }

    def _run(self, words, place, log, jobs=1):
        with open(log, "wb") as file:
            done = subprocess.run(
                self.prefix + [self.program] + words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment(place, jobs),
                cwd=place,
                check=False,
            )
        return done.returncode

    def compile(self, name, package, jobs):
        """Install a source package; return the last words of its log when that fails."""
        log = self.logs / ("%s.log" % name)
        words = ["CMD", "INSTALL", "--pkglock", "--no-test-load", "--library=%s" % self.seen]
        code = self._run(words + [str(package)], Path(package).parent, log, jobs)
        return "" if code == 0 else last_words(log) or "R CMD INSTALL ended with %d" % code

    def load(self, names, number):
        """Load packages in one R, one after the other; return those that did not."""
        log = self.logs / ("load-%d.log" % number)
        place = self.work / ("load-%d" % number)
        place.mkdir(parents=True, exist_ok=True)
        self._run(self._loading(names), place, log)
        said = log.read_text("utf-8", "replace")
        shutil.rmtree(place, ignore_errors=True)
        return [name for name in names if "<%s loaded>" % name not in said]

    def load_alone(self, name):
        """Load one package in an R of its own; return its last words when that fails."""
        log = self.logs / ("%s.load.log" % name)
        place = self.work / ("load-%s" % name)
        place.mkdir(parents=True, exist_ok=True)
        code = 'invisible(loadNamespace("%s"))' % name
        words = ["--no-echo", "--no-restore", "--no-save", "-e", code]
        status = self._run(words, place, log)
        shutil.rmtree(place, ignore_errors=True)
        if status == 0:
            return ""
        return last_words(log) or "R ended with %d while it loaded it" % status

    def _loading(self, names):
        words = ["--no-echo", "--no-restore", "--no-save", "--file=%s" % self.script, "--args"]
        return words + list(names)

    def tell_java(self):
        """Let R find Java; what it says is in a log."""
        place = self.work / "java"
        place.mkdir(parents=True, exist_ok=True)
        with open(self.logs / "javareconf.log", "wb") as file:
            subprocess.run(
                [self.program, "CMD", "javareconf"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=place,
                check=False,
            )


def last_words(log):
    """Return the lines of a log that say what went wrong: from the first error on, or the last."""
    lines = Path(log).read_text("utf-8", "replace").splitlines()
    lines = [re.sub(r"[^\t\x20-\x7e\x80-\U0010ffff]", "", line).rstrip() for line in lines]
    lines = [_cut(line) for line in lines if line]
    tail = lines[-_LAST_LINES:]
    first = next((n for n, line in enumerate(lines) if _SHOWN.search(line)), None)
    if first is not None and first < len(lines) - _LAST_LINES:
        tail = lines[first : first + 5] + ["..."] + tail[-(_LAST_LINES - 6) :]
    return "\n".join(tail)


def _cut(line):
    """Keep both ends of a long line: R names all missing files of a package in one."""
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else line[:half] + " ... " + line[-half:]


def cores():
    """Count the processors that this machine may use."""
    return max(1, len(os.sched_getaffinity(0)))
