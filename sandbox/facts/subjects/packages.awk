# What of this subject may leave the machine; goes into the program of ../../probe/known/take.awk

# State, name, version and priority of each package of dpkg's. What is not installed may have no version
function take_dpkg(line,    n, part, has) {
    n = split(line, part, "\t")
    if (n != 4 || part[1] !~ /^[a-z][A-Za-z][A-Za-z ]?$/ || !is_package(part[2])) { odd(); return }
    has = part[3] ~ /^[0-9A-Za-z][!-~]*$/ && length(part[3]) < 300
    if (!has && part[1] ~ /^.[iWt]/) { odd(); return }
    print part[1] "\t" part[2] "\t" (has ? part[3] : "") "\t" (part[4] ~ /^[a-z]+$/ && length(part[4]) < 40 ? part[4] : "unknown")
}

function take_rpm(line,    n, part) {
    n = split(line, part, "\t")
    if (n != 2 || !is_package(part[1]) || part[2] !~ /^[0-9A-Za-z][!-~]*$/ || length(part[2]) > 300) { odd(); return }
    print line
}

function is_package(name) {
    return name ~ /^[A-Za-z0-9][A-Za-z0-9+._~-]*$/ && length(name) < 300
}

BEGIN { WRITER["dpkg"] = "dpkg-query (packages)"; WRITER["rpm"] = "rpm (packages)" }
