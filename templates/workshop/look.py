"""Runs in a seat, as root: what its person did last, for the trainer's page. Changes nothing.

look.py ACCOUNT [inside]

Prints one line of JSON. What only root may read is read first; then this process becomes the person
for good, so that nothing in the home leads it anywhere that the person could not go. Nothing of the
home is run. Everything is bounded: entries, bytes, seconds.
"""

import json
import os
import pwd
import stat
import sys
import time

MOST_ENTRIES = 20_000
MOST_S = 4.0
TAIL_BYTES = 16 * 1024
MOST_FILES = 40
MOST_PROCESSES = 60
MOST_LOGS = 4
MOST_LETTERS = 300
RSTUDIO = ".local/share/rstudio"
LEFT_OUT = (".cache", "node_modules", ".Rproj.user", "Trash")
SHINY_LOGS = "/var/log/shiny-server"


def main():
    account = pwd.getpwnam(sys.argv[1])
    closely = sys.argv[2:] == ["inside"]
    answer = {"now": time.time(), "typed": typed(account.pw_uid)}
    if closely:
        answer["processes"] = processes(account.pw_uid)
        answer["logs"] = app_logs()
    os.chdir("/")
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    newest, size, whole, files = walk(account.pw_dir)
    answer["changed"] = newest
    answer["home_bytes"] = size if whole else None
    session = os.path.join(account.pw_dir, RSTUDIO, "log", "rsession-" + account.pw_name + ".log")
    text, at = tail(session)
    answer["session_error"], answer["session_error_at"] = last_error(text), at
    if closely:
        answer["files"] = files
        answer["logs"].append({"name": "RStudio's session", "at": at, "text": text})
        history = tail(os.path.join(account.pw_dir, ".Rhistory"))
        console = tail(os.path.join(account.pw_dir, RSTUDIO, "history_database"))
        for name, (text, at) in ((".Rhistory", history), ("the R console's history", console)):
            answer["logs"].append({"name": name, "at": at, "text": text})
    print(json.dumps(answer))


def typed(uid):
    """When somebody last typed into a terminal of the person."""
    newest = 0.0
    for entry in listed("/dev/pts"):
        try:
            about = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISCHR(about.st_mode) and about.st_uid == uid:
            newest = max(newest, about.st_atime)
    return newest


def processes(uid):
    """The person's processes, those with the most processor time first."""
    found = []
    ticks = os.sysconf("SC_CLK_TCK")
    page = os.sysconf("SC_PAGE_SIZE")
    for entry in listed("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != uid:
                continue
            with open(entry.path + "/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            with open(entry.path + "/cmdline", "rb") as file:
                words = file.read(4096).rstrip(b"\0").replace(b"\0", b" ")
        except OSError:
            continue
        found.append(
            {
                "pid": int(entry.name),
                "command": words.decode("utf-8", "replace")[:MOST_LETTERS],
                "cpu_s": (int(fields[11]) + int(fields[12])) / ticks,
                "memory_mb": int(fields[21]) * page // 1024**2,
            }
        )
    return sorted(found, key=lambda one: -one["cpu_s"])[:MOST_PROCESSES]


def app_logs():
    """The ends of Shiny Server's newest logs."""
    found = []
    for entry in listed(SHINY_LOGS):
        try:
            found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path, entry.name))
        except OSError:
            continue
    logs = []
    for _, path, name in sorted(found, reverse=True)[:MOST_LOGS]:
        text, at = tail(path)
        logs.append({"name": name[:MOST_LETTERS], "at": at, "text": text})
    return logs


def walk(home):
    """The newest change in the home, its size, whether all of it was seen, and its newest files."""
    until, seen, newest, size = time.monotonic() + MOST_S, 0, 0.0, 0
    files, folders = [], [home]
    device = os.stat(home).st_dev
    while folders:
        for entry in listed(folders.pop()):
            seen += 1
            if seen > MOST_ENTRIES or time.monotonic() > until:
                return newest, size, False, newest_of(files, home)
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            size += about.st_blocks * 512
            if stat.S_ISDIR(about.st_mode):
                if about.st_dev == device and entry.name not in LEFT_OUT:
                    folders.append(entry.path)
            elif stat.S_ISREG(about.st_mode):
                if about.st_mtime <= time.time() + 1:
                    newest = max(newest, about.st_mtime)
                files.append((about.st_mtime, entry.path, about.st_size))
    return newest, size, True, newest_of(files, home)


def newest_of(files, home):
    files.sort(reverse=True)
    return [
        {"path": shown(os.path.relpath(path, home)), "at": at, "bytes": size}
        for at, path, size in files[:MOST_FILES]
    ]


def listed(folder):
    try:
        with os.scandir(folder) as entries:
            # A folder that grows while it is read has no end
            return [entry for entry, _ in zip(entries, range(MOST_ENTRIES))]
    except OSError:
        return []


def tail(path):
    """The end of a plain file, and when it was written; nothing for a link, a pipe, a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return "", 0.0
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return "", 0.0
        file.seek(max(0, about.st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).decode("utf-8", "replace"), about.st_mtime


def last_error(text):
    """The last line of RStudio's own log that is an error."""
    lines = [line for line in text.splitlines() if " ERROR " in line]
    return lines[-1][:MOST_LETTERS] if lines else ""


def shown(name):
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:MOST_LETTERS]


if __name__ == "__main__":
    main()
