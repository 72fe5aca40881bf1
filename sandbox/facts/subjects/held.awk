# What of this subject may leave the machine; goes into the program of ../../probe/known/take.awk

# A package and how it is held; before, as `installed`, all that dpkg has. Their names leave the machine with the
# table of packages; others, which apt's preferences alone name, are what somebody wrote
function take_held(line,    n, part) {
    n = split(line, part, "\t")
    if (n != 2) { odd(); return }
    if (part[2] == "installed") { if (is_package(part[1])) HAS_PACKAGE[part[1]] = 1; return }
    print (part[1] in HAS_PACKAGE ? part[1] : seen("fact", "pinned", part[1])) "\t" seen("fact", "pin", part[2])
}

BEGIN { WRITER["held"] = "dpkg and apt's preferences" }
