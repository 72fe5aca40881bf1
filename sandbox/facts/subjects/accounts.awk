# What of this subject may leave the machine; goes into the program of ../../probe/known/take.awk

# A number of an account or a group
function number_of(text) {
    return text ~ /^[0-9]+$/ && length(text) <= 10 && (length(text) < 10 || text ~ /^[1-4]/) ? text : "not-taken"
}

# passwd and group. What somebody wrote about the person stays here
function take_passwd(line,    n, part, member, count, i, out) {
    # `+` and `-`: what NIS adds, nobody's account
    if (line ~ /^[+-]/) return
    n = split(line, part, ":")
    part[1] = plain("account", part[1], "not-taken")
    if (n != (KIND == "passwd" ? 7 : 4) || part[1] == "" || number_of(part[3]) == "not-taken") { odd(); return }
    if (KIND == "passwd") {
        if (number_of(part[4]) == "not-taken") { odd(); return }
        print part[1] ":x:" number_of(part[3]) ":" number_of(part[4]) "::" plain("path", part[6], "/not-taken") ":" plain("path", part[7], "/not-taken")
        return
    }
    count = split(part[4], member, ",")
    out = ""
    for (i = 1; i <= count; i++) out = out (i == 1 ? "" : ",") plain("account", member[i], "not-taken")
    print part[1] ":x:" number_of(part[3]) ":" out
}

BEGIN { WRITER["passwd"] = "the table of accounts"; WRITER["group"] = "the table of groups" }
