# What of this subject may leave the machine; goes into the program of ../../probe/known/take.awk

# The names of processes stand in quotes, and may hold some: `users:(("sshd",pid=1,fd=3),("x",pid=2,fd=4))`
function take_ss(line,    at, out, name, n, part, held, count, pid) {
    at = index(line, "users:((")
    out = at ? substr(line, 1, at - 1) : line
    # An interface is called as somebody likes
    gsub(/%[^] \t:]*[^]A-Za-z0-9 \t:._-][^] \t:]*/, "%not-taken", out)
    n = split(out, part, /[ \t]+/)
    if (!is_socket(n, part) || out !~ /^([A-Za-z0-9 \t.,:*%_-]|\[|\])*$/ || length(out) > 1000) { odd(); return }
    if (!at) { print out; return }
    line = substr(line, at + 7)
    # Newer ones, and those that were asked for more, have other words between the two
    while (match(line, /",pid=[0-9]+,([a-z_]+=[^",()]*,)*fd=[0-9]+\)/)) {
        name = substr(line, 1, RSTART - 1)
        sub(/^[,(]*"/, "", name)
        held = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        match(held, /^",pid=[0-9]+/)
        pid = substr(held, 1, RLENGTH)
        sub(/^.*,fd=/, ",fd=", held)
        # Very many share the port of a service that forks: the first of them tell whose it is
        if (++count > 50) break
        out = out (out ~ /\)$/ ? "," : "users:(") "(\"" plain("process", name, "not-taken") pid held
    }
    print out (count ? ")" : "")
}

# Kind, state, two queues, address and port of this side and the other
function is_socket(n, part,    address, port) {
    if (n < 6 || part[1] !~ /^(tcp|udp)$/ || part[2] !~ /^[A-Za-z][A-Za-z0-9_-]*$/) return 0
    address = part[5]
    port = address
    sub(/^.*:/, "", port)
    sub(/:[^:]*$/, "", address)
    gsub(/\[|\]/, "", address)
    sub(/%.*/, "", address)
    if (port != "*" && (port !~ /^[0-9]+$/ || length(port) > 5 || port + 0 > 65535)) return 0
    return address == "*" || address ~ /^[0-9][0-9]?[0-9]?[.][0-9][0-9]?[0-9]?[.][0-9][0-9]?[0-9]?[.][0-9][0-9]?[0-9]?$/ || (address ~ /:.*:/ && address ~ /^[0-9a-fA-F:.]+$/)
}

BEGIN { WRITER["ss"] = "ss (listening ports)" }
