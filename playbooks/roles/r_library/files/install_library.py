"""Make the library of one R exactly what a list says, or leave it as it was.

    python3 install_library.py ORDER.json

A new library is made next to the one in use: packages that have not changed are linked from it,
binaries unpacked, sources compiled. Every package is loaded once, the new library compared with the
list, and then swapped in. Never asks the network. Prints JSON, or what failed, on stderr; the JSON
is in result.json among its logs in both cases.

Runs on the machine with its own Python (3.9 and later), without any other module.
"""

import ctypes
import fcntl
import json
import os
import shutil
import sys
import tarfile
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

import package_files as files
from r_process import Rs, cores

NOTE = ".sandbox-library.json"
_MOST_IN_ONE_R = 80
"""An R loads about a hundred shared objects where it may open few files."""


class Order:
    """What is to be done."""

    def __init__(self, said):
        self.r = said["r"]
        self.minor = ".".join(self.r.split(".")[:2])
        self.program = said["program"]
        self.library = Path(said["library"])
        self.materials = Path(said["materials"])
        self.logs = Path(said["logs"])
        self.locked_with = said.get("locked_with", "")
        self.needs_java = said.get("needs_java", False)
        self.moved_away = Path(said.get("moved_away", "/var/lib/sandbox/moved-away"))
        self.cores = said.get("cores") or cores()
        self.files = {one["name"]: one for one in said["files"]}

    def archive(self, name):
        return self.materials / self.files[name]["file_name"]


class Failed(Exception):
    """The new library cannot be made; holds what failed."""

    def __init__(self, problems):
        super().__init__(problems)
        self.problems = problems


def problem(package, version, what, words, log=""):
    """Describe one failure."""
    return {"package": package, "version": version, "what": what, "words": words, "log": str(log)}


class Install:
    """One new library."""

    def __init__(self, order):
        self.order = order
        library = order.library
        self.stage = library.parent / (".%s.new" % library.name)
        self.work = library.parent / (".%s.work" % library.name)
        self.counts = {"linked": 0, "unpacked": 0, "compiled": 0}

    def run(self):
        """Make the library, and return whether anything changed, and what was moved away."""
        order = self.order
        before = read_note(order.library)
        if is_as_wanted(order, before):
            return False, ""
        try:
            self._prepare()
            kept = self._link(before)
            self._verify(set(order.files) - kept)
            self._unpack([n for n, one in order.files.items() if n not in kept and one["is_binary"]])
            rs = Rs(order.program, self.stage, order.library, self.work, order.logs)
            self._compile(rs, [n for n, o in order.files.items() if n not in kept and not o["is_binary"]])
            self._compare()
            self._load(rs)
            write_note(self.stage, order)
            away = self._save_strange(before)
            shutil.rmtree(swap(self.stage, order.library), ignore_errors=True)
            return True, away
        finally:
            for folder in (self.stage, self.work):
                shutil.rmtree(folder, ignore_errors=True)

    def _prepare(self):
        order = self.order
        for folder in (self.stage, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        # R finds it at its place; before the first time there is none
        order.library.mkdir(parents=True, exist_ok=True)
        order.logs.mkdir(parents=True, exist_ok=True)
        self.stage.mkdir()
        self.work.mkdir(mode=0o700)
        found = os.stat(order.library)
        os.chown(self.stage, found.st_uid, found.st_gid)
        os.chmod(self.stage, found.st_mode & 0o7777)

    def _link(self, before):
        """Take over what has not changed: by the checksum of its file, and of all that it needs."""
        was = before.get("packages", {}) if before.get("r") == self.order.r else {}
        kept = set()
        for name, one in self.order.files.items():
            same = was.get(name) == entry(one)
            # Compiled code holds parts of the packages that it was built with
            whole = one["is_binary"] or all(need in kept for need in one["needs"])
            there = files.description(self.order.library / name).get("Version") == one["version"]
            if same and whole and there:
                files.link_tree(self.order.library / name, self.stage / name)
                kept.add(name)
        self.counts["linked"] = len(kept)
        return kept

    def _verify(self, names):
        wrong = []
        for name in sorted(names):
            one, path = self.order.files[name], self.order.archive(name)
            if not path.is_file():
                wrong.append(problem(name, one["version"], "file", "%s is not there" % path))
            elif files.sha256_of(path) != one["sha256"]:
                words = "%s is damaged: its SHA-256 is not %s" % (path, one["sha256"])
                wrong.append(problem(name, one["version"], "file", words))
        if wrong:
            # The next run brings all files, and not only those that have changed
            (self.order.materials / "installed").unlink(missing_ok=True)
            raise Failed(wrong)

    def _unpack(self, names):
        if not names:
            return
        # Processes: threads of Python would wait for each other at every member of an archive
        with ProcessPoolExecutor(self.order.cores, get_context("fork")) as pool:
            wrong = [found for found in pool.map(self._try_to_unpack, names, chunksize=4) if found]
        if wrong:
            raise Failed(wrong)
        self.counts["unpacked"] = len(names)

    def _try_to_unpack(self, name):
        try:
            return self._unpack_one(name)
        except (files.UnsafeError, tarfile.TarError, EOFError, OSError, ValueError) as error:
            return problem(name, self.order.files[name]["version"], "unpack", str(error))

    def _unpack_one(self, name):
        wanted = self.order.files[name]
        place = self.work / ("unpack-%s" % name)
        package = files.unpack(self.order.archive(name), place)
        built = files.description(package).get("Built", "")
        words = ""
        if not built or not (package / "Meta" / "package.rds").is_file():
            words = "it is not a binary package: R has not installed it"
        elif not built.startswith("R %s." % self.order.minor):
            words = "it was built with %s, and this is R %s" % (built.split(";")[0], self.order.r)
        if words:
            return problem(name, wanted["version"], "unpack", words)
        if wanted.get("fields"):
            files.add_fields(package, wanted["fields"])
        os.rename(package, self.stage / name)
        shutil.rmtree(place)
        return None

    def _compile(self, rs, names):
        if names and self.order.needs_java:
            rs.tell_java()
        waiting = {name: set(self.order.files[name]["needs"]) & set(names) for name in names}
        heights = heights_of(self.order.files)
        running, wrong, free = {}, [], self.order.cores
        with ThreadPoolExecutor(self.order.cores) as pool:
            while waiting or running:
                ready = sorted(
                    (name for name, needs in waiting.items() if not needs),
                    key=lambda name: (-heights[name], name),
                )
                while ready and free:
                    name = ready.pop(0)
                    del waiting[name]
                    # The processors are shared: never more jobs of make than there are of them
                    jobs = max(1, free // (len(ready) + 1))
                    free -= jobs
                    running[pool.submit(self._compile_one, rs, name, jobs)] = (name, jobs)
                if not running:
                    break  # what still waits needs what has failed
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, jobs = running.pop(future)
                    free += jobs
                    found = future.result()
                    if found:
                        wrong.append(found)
                        continue
                    self.counts["compiled"] += 1
                    for needs in waiting.values():
                        needs.discard(name)
        if wrong:
            raise Failed(wrong)

    def _compile_one(self, rs, name, jobs):
        wanted = self.order.files[name]
        place = self.work / ("build-%s" % name)
        log = self.order.logs / ("%s.log" % name)
        try:
            package = files.unpack(self.order.archive(name), place / "source")
            for part in wanted.get("folder", "").split("/"):
                package = package / part if part not in ("", ".", "..") else package
            if wanted.get("fields"):
                files.add_fields(package, wanted["fields"])
            words = rs.compile(name, package, jobs)
        except (files.UnsafeError, tarfile.TarError, EOFError, OSError, ValueError) as error:
            words = str(error)
        shutil.rmtree(place, ignore_errors=True)
        return problem(name, wanted["version"], "compile", words, log) if words else None

    def _compare(self):
        """See that the new library is the list, no more and no less."""
        there, wrong = files.installed(self.stage), []
        for name, one in self.order.files.items():
            version = there.pop(name, None)
            if version is None:
                wrong.append(problem(name, one["version"], "missing", "it was not installed"))
            elif version != one["version"]:
                words = "%s was installed in its place" % version
                wrong.append(problem(name, one["version"], "version", words))
        for name, version in sorted(there.items()):
            wrong.append(problem(name, version, "extra", "it is not on the list"))
        if wrong:
            raise Failed(wrong)

    def _load(self, rs):
        names = list(self.order.files)
        batches = dealt(names, self.order.cores)
        with ThreadPoolExecutor(self.order.cores) as pool:
            found = pool.map(rs.load, batches, range(len(batches)))
            # One may fail for what another did in the same R: it is told only if it fails alone
            again = [name for batch in found for name in batch]
            words = list(pool.map(rs.load_alone, again))
        wrong = [
            problem(
                name,
                self.order.files[name]["version"],
                "load",
                said,
                self.order.logs / ("%s.load.log" % name),
            )
            for name, said in zip(again, words)
            if said
        ]
        if wrong:
            raise Failed(wrong)

    def _save_strange(self, before):
        """Keep elsewhere the packages that somebody else put into the library, before it goes."""
        library = self.order.library
        strange = sorted(set(files.installed(library)) - set(before.get("packages", {})))
        if not strange:
            return ""
        away = self.order.moved_away / ("%s.%d" % (library.name, time.time_ns()))
        away.mkdir(parents=True)
        for name in strange:
            files.link_tree(library / name, away / name)
        return str(away)


def entry(one):
    """What decides whether a package of the library is the wanted one."""
    return [one["version"], one["sha256"], one["is_binary"], [list(f) for f in one.get("fields", [])]]


def read_note(library):
    """Read what the library was made of; empty when nobody knows."""
    try:
        return json.loads((library / NOTE).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def write_note(library, order):
    """Write down what the library is made of."""
    said = {"r": order.r, "packages": {name: entry(one) for name, one in order.files.items()}}
    (library / NOTE).write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", "utf-8")


def is_as_wanted(order, before):
    """Tell whether the library is the list already."""
    wanted = {name: entry(one) for name, one in order.files.items()}
    if before.get("r") != order.r or before.get("packages") != wanted:
        return False
    return files.installed(order.library) == {n: one["version"] for n, one in order.files.items()}


def dealt(names, cores):
    """Deal the packages out to as many Rs as there are processors, or to a multiple of them.

    In turn: those that need others, and load them as well, stand at the end of the list.
    """
    count = cores * max(1, -(-len(names) // (cores * _MOST_IN_ONE_R)))
    return [names[start::count] for start in range(min(count, len(names)))]


def heights_of(packages):
    """Count how many packages wait for each, one after the other: the longest chain goes first."""
    users = {name: [] for name in packages}
    for name, one in packages.items():
        for need in one["needs"]:
            users.get(need, []).append(name)
    heights = {}
    # A package stands after all that it needs
    for name in reversed(list(packages)):
        heights[name] = 1 + max((heights.get(user, 0) for user in users[name]), default=0)
    return heights


def swap(new, library):
    """Put the new library in the place of the old one, in one step; return where the old one is."""
    exchange = 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        at_cwd = -100
        done = renameat2(at_cwd, os.fsencode(new), at_cwd, os.fsencode(library), exchange)
        if done == 0:
            return new
    except AttributeError:
        pass
    old = library.parent / (".%s.old" % library.name)
    shutil.rmtree(old, ignore_errors=True)
    os.rename(library, old)
    try:
        os.rename(new, library)
    except BaseException:
        os.rename(old, library)
        raise
    return old


def told(order, wrong):
    """Say in words what failed."""
    lines = []
    doing = {"compile": "does not compile", "load": "does not load", "unpack": "cannot be unpacked"}
    for one in wrong:
        what = doing.get(one["what"], "is not as it should be")
        lines.append("%s %s %s with R %s:" % (one["package"], one["version"], what, order.r))
        lines += ["    " + line for line in one["words"].splitlines()]
        if one["log"]:
            lines.append("    (all of it: %s)" % one["log"])
    if order.locked_with and order.locked_with != order.r:
        lines.append("These packages were locked with R %s." % order.locked_with)
    lines.append("The library %s is as it was." % order.library)
    return "\n".join(lines)


def main(argv):
    """Do what the order says."""
    order = Order(json.loads(Path(argv[1]).read_text("utf-8")))
    started = time.monotonic()
    os.umask(0o022)
    order.library.parent.mkdir(parents=True, exist_ok=True)
    wrong, changed, away = [], False, ""
    with open(order.library.parent / (".%s.lock" % order.library.name), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install = Install(order)
        try:
            changed, away = install.run()
        except Failed as error:
            wrong = sorted(error.problems, key=lambda one: one["package"])
    result = {
        "changed": changed,
        "problems": wrong,
        "r": order.r,
        "locked_with": order.locked_with,
        "moved_away": away,
        "seconds": round(time.monotonic() - started, 1),
        **install.counts,
    }
    text = json.dumps(result, indent=1)
    order.logs.mkdir(parents=True, exist_ok=True)
    (order.logs / "result.json").write_text(text + "\n", "utf-8")
    if wrong:
        print(told(order, wrong), file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
