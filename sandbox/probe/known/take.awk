# Which values may leave this machine. In front of it, written by program.py: the tables
#   G[grammar], EX[kind, name], WORDS[kind, name], PK[i] PR[i] PG[i] (patterns for names), VOCABULARY[word],
#   TAKE[name] and TAKE_FILE[path] (what a person asked for by name), NEVER, RUN, NAME_RUN, SHAPED, CALL, INTRODUCED
# and called with
#   MODE    how the lines are to be read (the functions below)
#   KIND, NAME, PLACE  whose names they are; one name for all lines; the file
#   B       the boundary, for MODE=r
# A value that is not known comes out as \001CLASS\002VALUE\001, and goes no further than to `placeholders`
# (probe.sh), which puts a placeholder there. Any POSIX awk, bytes (LC_ALL=C).

# ---- known or not ----------------------------------------------------------------------------------

# Judged once: most awks make an expression anew each time that another one was used in between
function known(kind, name, value,    key) {
    if (value == "") return 1
    if (name in TAKE || PLACE in TAKE_FILE) return 1
    key = kind SUBSEP name SUBSEP value
    if (!(key in JUDGED)) JUDGED[key] = judged(kind, name, value)
    return JUDGED[key]
}

function judged(kind, name, value,    key, list, n, i, part) {
    if (length(value) > LONGEST || value ~ RUN) return 0
    key = kind SUBSEP name
    if (key in WORDS && value ~ WORDS[key]) return 1
    list = ""
    if (key in EX) list = EX[key]
    else if (!(key in WORDS) && name !~ NEVER)
        for (i = 1; i <= PATTERNS; i++)
            if (PK[i] == kind && name ~ PR[i]) { list = PG[i]; break }
    n = split(list, part, " ")
    for (i = 1; i <= n; i++) if (part[i] in G && value ~ G[part[i]]) return 1
    return 0
}

# Text as one field of a line, as R's escape() does
function escaped(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/\t/, "\\t", text)
    gsub(/\r/, "\\r", text)
    gsub(/\n/, "\\n", text)
    return text
}

function length_class(size) {
    if (size == 0) return "0-0"
    if (size <= 8) return "1-8"
    if (size <= 16) return "9-16"
    if (size <= 32) return "17-32"
    if (size <= 64) return "33-64"
    if (size <= 256) return "65-256"
    if (size <= 4096) return "257-4096"
    return "4097+"
}

# In place of an (escaped) value. One of a page or more is not hashed: the shell would take long over it
function mark(field,    copy) {
    if (length(field) > 4096) return "<not taken: " length_class(length(field)) " characters>"
    copy = field
    gsub(/\\./, "x", copy)
    return "\001" length_class(length(copy)) "\002" field "\001"
}

# A (not escaped) value as it may be seen
function seen(kind, name, value) {
    return known(kind, name, value) ? escaped(value) : mark(escaped(value))
}

# The same of a value that is escaped already
function seen_field(kind, name, field) {
    return known(kind, name, field) ? field : mark(field)
}

# A name as it may be seen: words, not what somebody wrote in the wrong place
function is_named(kind, name) {
    return (kind SUBSEP name) in EX || (kind SUBSEP name) in WORDS
}

function seen_name(kind, name) {
    if (is_named(kind, name)) return name
    if (length(name) <= 64 && name !~ NAME_RUN && name ~ G["name"]) return name
    if (name in TAKE) return name
    return "name not taken " (++NAMELESS)
}

# ---- lines of files --------------------------------------------------------------------------------

function trimmed(text) {
    sub(/^[ \t\r]+/, "", text)
    sub(/[ \t\r]+$/, "", text)
    return text
}

function unquoted(text) {
    if (text ~ /^".*"$/ || text ~ /^'.*'$/) return substr(text, 2, length(text) - 2)
    return text
}

# What a line of an environment file says: R's `${NAME-text}` is looked at by its text
function seen_default(name, value,    head, tail, inner) {
    if (known("env", name, value)) return escaped(value)
    head = ""; tail = ""; inner = value
    while (inner ~ /^[$][{][A-Za-z_][A-Za-z0-9_]*:?-.*[}]$/) {
        match(inner, /^[$][{][A-Za-z_][A-Za-z0-9_]*:?-/)
        head = head substr(inner, 1, RLENGTH)
        inner = substr(inner, RLENGTH + 1, length(inner) - RLENGTH - 1)
        tail = tail "}"
    }
    if (head == "") return seen("env", name, value)
    if (head !~ /^([$][{][A-Z][A-Z0-9_]*:?-)+$/ || head ~ RUN || length(head) > 60) return mark(escaped(value))
    return escaped(head) seen("env", name, unquoted(inner)) tail
}

function unique(name) {
    if (!(name in USED)) { USED[name] = 1; return name }
    return name " #" (++USED[name])
}

function unparsed(line) {
    print unique("line " NUMBER) "\t" (PLACE in TAKE_FILE ? escaped(line) : mark(escaped(line)))
}

# What a line leaves open for the next ones: a quote, or itself by a backslash; empty for nothing
function left_open(line, before,    value, copy) {
    if (line ~ /\\$/) return "\\"
    if (before == "\"" || before == "'") return index(line, before) ? "" : before
    value = trimmed(substr(line, index(line, "=") + 1))
    copy = value
    if (gsub(/"/, "", copy) % 2) return "\""
    return substr(value, 1, 1) == "'" && index(substr(value, 2), "'") == 0 ? "'" : ""
}

# Whether a line is no setting, for all we know, but part of a value: one that goes on from the line before,
# or the end of a key in base64. Known names with known values are settings all the same
function is_part(kind, name, value) {
    if (is_named(kind, name)) return WITHIN != "" && !known(kind, name, value)
    return WITHIN != "" || (value ~ /^=*$/ && name !~ /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/ && name !~ /-/)
}

function assignment(line,    at, name, value) {
    sub(/^export[ \t]+/, "", line)
    at = index(line, "=")
    if (at == 0) { unparsed(line); return }
    name = trimmed(substr(line, 1, at - 1))
    value = unquoted(trimmed(substr(line, at + 1)))
    if (name !~ /^[A-Za-z_][A-Za-z0-9_.]*$/ || is_part("env", name, value)) { unparsed(line); return }
    print unique(seen_name("env", name)) "\t" seen_default(name, value)
}

function ini(line,    at, name, value, two) {
    if (line ~ /^\[.*\]$/) {
        SECTION = substr(line, 2, length(line) - 2)
        gsub(/"/, "", SECTION)
        SECTION = trimmed(SECTION)
        # `RPackageRepository CRAN` is two names
        two = SECTION; sub(/ /, ".", two)
        if ((SECTION !~ G["driver"] && two !~ G["name"]) || SECTION ~ NAME_RUN || length(SECTION) > 64)
            SECTION = "section not taken " (++SECTIONS)
        return
    }
    at = index(line, "=")
    if (at == 0) { unparsed(line); return }
    name = trimmed(substr(line, 1, at - 1))
    value = unquoted(trimmed(substr(line, at + 1)))
    if (name !~ /^[A-Za-z][A-Za-z0-9_. -]*$/ || is_part(KIND, name, value)) { unparsed(line); return }
    if (KIND == "odbc" && SECTION ~ /^ODBC (Drivers|Data Sources)$/) {
        print unique(SECTION "." ((name ~ G["driver"] || name ~ G["name"]) && name !~ RUN ? name : "name not taken " (++NAMELESS))) "\t" seen("fact", "driver", value)
        return
    }
    print unique((SECTION == "" ? "" : SECTION ".") seen_name(KIND, name)) "\t" seen(KIND, name, value)
}

# limits.conf: domain, type, item, value
function limits(line,    part, n) {
    n = split(line, part, " ")
    if (n != 4 || part[1] !~ /^([*]|[@%]?[a-z_][a-z_-]*[0-9]?[0-9]?[0-9]?)$/ || part[2] !~ /^(soft|hard|-)$/ ||
        !(("limits" SUBSEP part[3]) in EX)) { unparsed(line); return }
    print unique(part[1] " " part[2] " " part[3]) "\t" seen("limits", part[3], part[4])
}

# A line of JSON's one level: switches alone are known, whatever they are called
function json(line,    name, value) {
    if (line ~ /^[{}]$/) return
    if (line !~ /^"[A-Za-z_]+": *[^ ]/) { unparsed(line); return }
    name = substr(line, 2); sub(/".*/, "", name)
    value = line; sub(/^"[A-Za-z_]+": */, "", value); sub(/,$/, "", value)
    if (value ~ /^(true|false|null)$/) print unique(seen_name("rstudio", name)) "\t" value
    else print unique(seen_name("rstudio", name)) "\t" seen("rstudio", name, unquoted(value))
}

# `systemctl show`: NAME=VALUE; Environment= holds assignments, in quotes where they have blanks
function unit(line,    at, name, value) {
    at = index(line, "=")
    if (at == 0) return
    name = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (name == "Environment") { unit_environment(value); return }
    if (name == "EnvironmentFiles") { sub(/ \(ignore_errors=(no|yes)\)$/, "", value); print name "\t" seen("fact", "path", value); return }
    if (value == "" || value == "[not set]") return
    print name "\t" seen("unit", name, value)
}

function unit_environment(text,    word, at, quoted) {
    while (text != "") {
        text = trimmed(text)
        quoted = substr(text, 1, 1) == "\""
        if (quoted) {
            text = substr(text, 2)
            at = match(text, /[^\\]"/)
            if (at == 0) { word = text; text = "" }
            else { word = substr(text, 1, at); text = substr(text, at + 2) }
        } else {
            at = index(text, " ")
            if (at == 0) { word = text; text = "" }
            else { word = substr(text, 1, at - 1); text = substr(text, at + 1) }
        }
        at = index(word, "=")
        if (at > 1 && !is_part("env", substr(word, 1, at - 1), substr(word, at + 1))) print unique("Environment." seen_name("env", substr(word, 1, at - 1))) "\t" seen("env", substr(word, 1, at - 1), substr(word, at + 1))
        else if (word != "") print unique("Environment") "\t" mark(escaped(word))
    }
}

# Shiny Server's configuration: statements of words, nested in braces. One line a statement; the structure
# (`{`, `}`, `;`) stays whatever the words are
function shiny(text,    at, token, name, words, count) {
    name = ""; words = ""; count = 0
    while (text != "") {
        if (match(text, /^[ \t\r\n]+/)) { text = substr(text, RLENGTH + 1); continue }
        if (match(text, /^#[^\n]*/)) { text = substr(text, RLENGTH + 1); continue }
        if (match(text, /^[{};]/)) {
            token = substr(text, 1, 1); text = substr(text, 2)
            shiny_statement(name, words, token)
            name = ""; words = ""; count = 0
            continue
        }
        if (match(text, /^"([^"\\]|\\.)*"/) || match(text, /^'([^'\\]|\\.)*'/)) {
            token = substr(text, 2, RLENGTH - 2); text = substr(text, RLENGTH + 1)
        } else if (match(text, /^[^ \t\r\n{};"'#]+/)) {
            token = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
        } else {
            # A quote that nothing ends: the rest is one word
            token = text; text = ""
        }
        if (count++ == 0) name = token
        else words = words (words == "" ? "" : " ") token
    }
    if (name != "") shiny_statement(name, words, "")
}

function shiny_statement(name, words, stop,    shown) {
    if (name == "" && stop != "}") return
    if (name == "") { print "}"; return }
    if (!is_named("shiny", name)) {
        # Not even its name: a `;` in an unquoted value begins a statement
        shown = mark(escaped(name))
        if (words != "") shown = shown " " mark(escaped(words))
    } else {
        shown = name
        if (words != "") shown = shown " " seen("shiny", name, words)
    }
    print shown (stop == "{" ? " {" : ";")
}

# ---- tables of the system ----------------------------------------------------------------------------

# Fields with a tab between them; NAME says what each is: `path,version,path`
function rows(line,    n, i, part, names, out) {
    n = split(line, part, "\t")
    split(NAME, names, ",")
    out = ""
    for (i = 1; i <= n; i++) out = out (i == 1 ? "" : "\t") seen("fact", names[i], part[i])
    return out
}

# A number of an account or a group
function number_of(text) {
    return text ~ /^[0-9]+$/ && length(text) <= 10 && (length(text) < 10 || text ~ /^[1-4]/) ? text : "not-taken"
}

# A field with colons around it cannot hold a placeholder
function plain(name, value, instead) {
    return known("fact", name, value) ? value : instead
}

# passwd and group. What somebody wrote about the person stays here
function passwd(line,    n, part, member, count, i, out) {
    # `+` and `-`: what NIS adds, nobody's account
    if (line ~ /^[+-]/) return
    n = split(line, part, ":")
    part[1] = plain("account", part[1], "not-taken")
    if (KIND == "passwd") {
        if (n != 7) return
        print part[1] ":x:" number_of(part[3]) ":" number_of(part[4]) "::" plain("path", part[6], "/not-taken") ":" plain("path", part[7], "/not-taken")
        return
    }
    if (n != 4) return
    count = split(part[4], member, ",")
    out = ""
    for (i = 1; i <= count; i++) out = out (i == 1 ? "" : ",") plain("account", member[i], "not-taken")
    print part[1] ":x:" number_of(part[3]) ":" out
}

function service(line,    at, name, value) {
    if (line == "") { print ""; return }
    at = index(line, "=")
    name = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (name !~ /^(Id|LoadState|ActiveState|SubState|UnitFileState|Restart|MainPID)$/) return
    if (name == "Id") value = plain("unit", value, "not-taken.service")
    else if (name == "MainPID") { if (value !~ /^[0-9]*$/ || length(value) > 7) value = "" }
    else value = plain("unit_state", value, "")
    print name "=" value
}

# The names of processes stand in quotes, and may hold some: `users:(("sshd",pid=1,fd=3),("x",pid=2,fd=4))`
function sockets(line,    at, out, name) {
    at = index(line, "users:((")
    out = at ? substr(line, 1, at - 1) : line
    if (out !~ /^([A-Za-z0-9 \t.,:*%_-]|\[|\])*$/) return
    if (!at) { print out; return }
    line = substr(line, at + 7)
    while (match(line, /",pid=[0-9]+,fd=[0-9]+\)/)) {
        name = substr(line, 1, RSTART - 1)
        sub(/^[,(]*"/, "", name)
        out = out (out ~ /\)$/ ? "," : "users:(") "(\"" plain("process", name, "not-taken") substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
    }
    print out ")"
}

# ---- messages --------------------------------------------------------------------------------------

function bare_word(word) {
    sub(/^[].,:;()!?"'`<>[]+/, "", word)
    sub(/[].,:;()!?"'`<>[]+$/, "", word)
    return word
}

# Nothing but words of R and its tools, names where names stand, numbers and places
function known_words(line,    n, i, word, bare, before, part) {
    gsub(/\342\200[\230\231\234\235]/, "'", line)
    n = split(line, part, /[ \t]+/)
    before = ""
    for (i = 1; i <= n; i++) {
        word = part[i]
        bare = bare_word(word)
        if (!known_word(word, bare, before)) return 0
        before = tolower(bare)
    }
    return 1
}

function known_word(word, bare, before) {
    if (bare == "" || tolower(bare) in VOCABULARY || bare ~ /^[-=*\/>|~^.+:]+$/) return 1
    if (length(bare) > LONGEST || bare ~ RUN) return 0
    sub(/[.,:;]+$/, "", word)
    if (bare ~ SHAPED || word ~ CALL) return 1
    if (bare ~ /^\// && bare ~ G["path"]) return 1
    return word ~ /^["'`]/ && before in INTRODUCED && bare ~ G["name"]
}

function message(text) {
    return known_words(text) ? text : "<a line of " length_class(length(text)) " characters, not taken>"
}

# A message of several lines in one field
function message_field(field,    n, i, part, found) {
    n = split(field, part, /\\n/)
    found = ""
    for (i = 1; i <= n; i++) found = found (i == 1 ? "" : "\\n") message(part[i])
    return found
}

# ---- R's own lines (probe.R) -------------------------------------------------------------------------

function r_line(line,    n, part, kind, i, out) {
    if (index(line, B "\t") != 1) { print OWN ? line : message(line); return }
    n = split(line, part, "\t")
    if (part[2] != "fact") { print line; return }
    kind = part[3]
    if (kind == "environment") {
        if (part[4] in SESSION && !(part[4] in TAKE)) part[5] = "<not taken: " length_class(length(part[5])) " characters>"
        else part[5] = seen_field("env", part[4], part[5])
        part[4] = seen_name("env", part[4])
    }
    else if (kind == "option") {
        if (part[6] != "logical") part[5] = seen_field("option", part[4], part[5])
        part[4] = seen_name("option", part[4]); n = 5
    }
    else if (kind == "repo") { part[5] = seen_field("repo", part[4], part[5]); part[4] = seen_name("repo", part[4]) }
    else if (kind == "code_file") { PLACE = part[4]; return }
    else if (kind == "code_literal") { literal(part[4], part[5], part[6], part[7]); return }
    else if (kind == "code") { part[4] = seen_field("fact", "path", part[4]); part[6] = code(part[6]) }
    else if (kind == "package") {
        # Most names and versions are plain, and no expression need be made for each
        if (part[4] !~ /^[A-Za-z]+[0-9]?([.][A-Za-z]+)*$/ || part[4] ~ RUN) part[4] = seen_field("fact", "package", part[4])
        part[6] = seen_field("fact", "path", part[6])
        if (!known("repo", "CRAN", part[9])) part[9] = seen_field("fact", "repository", part[9])
        if (!known_remote(part[10])) part[10] = mark(part[10])
        if (part[5] !~ /^[0-9][0-9]?[0-9]?[.-][0-9][0-9]?[0-9]?([.-][0-9][0-9]?[0-9]?)?$/) part[5] = seen_field("fact", "version", part[5])
    }
    else if (kind in FACT_WORDS) {
        if (kind == "code_failed") part[4] = seen_field("fact", "path", part[4])
        if (!OWN) part[n] = message_field(part[n])
    }
    else for (i = 4; i <= n; i++) part[i] = seen_field("fact", fact_name(kind, i - 3), part[i])
    out = part[1]
    for (i = 2; i <= n; i++) out = out "\t" part[i]
    print out
}

# `github:r-lib/cli@` and a commit, which is 40 digits of hexadecimal and no key
function known_remote(text) {
    if (match(text, /@[0-9a-f]+$/) && RLENGTH == 41) text = substr(text, 1, RSTART - 1)
    return known("fact", "remote", text)
}

# What the fields of a fact are; of the last one that is said, the rest too
function fact_name(kind, at,    n, part) {
    n = split(FACTS[kind], part, ",")
    return n ? part[at < n ? at : n] : "nothing"
}

# A literal or a name of code, kept until the line that it stands in comes
function literal(id, kind, name, value,    found) {
    if (kind == "symbol") found = PLACE in TAKE_FILE || is_named("option", value) || is_named("env", value) || (value ~ G["name"] && value !~ RUN && length(value) <= 40)
    else found = known("option", name, value) || known("env", name, value) || known("code", name, value) ||
        (kind == "repo" && known("repo", "CRAN", value))
    if (!found) LITERAL[id] = mark(value)
    else LITERAL[id] = kind == "number" || kind == "symbol" ? value : "\"" value "\""
}

function code(text,    out, id) {
    out = ""
    while (match(text, /PROBE_LITERAL_[0-9]+_/)) {
        id = substr(text, RSTART + 14, RLENGTH - 15)
        out = out substr(text, 1, RSTART - 1) (id in LITERAL ? LITERAL[id] : "?")
        text = substr(text, RSTART + RLENGTH)
    }
    return out text
}

# ---- whole modes -------------------------------------------------------------------------------------

function words_of(text, into,    n, i, part) {
    n = split(text, part, " ")
    for (i = 1; i <= n; i++) into[part[i]] = 1
}

BEGIN {
    words_of("SSH_CLIENT SSH_CONNECTION SSH_TTY INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID XDG_SESSION_ID DBUS_SESSION_BUS_ADDRESS LS_COLORS MAIL SUDO_COMMAND SUDO_USER SUDO_UID SUDO_GID OLDPWD SHLVL _ MOTD_SHOWN MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE LISTEN_FDNAMES NOTIFY_SOCKET MANAGERPID", SESSION)
    FACTS["user"] = "account"; FACTS["working_dir"] = "path"; FACTS["home"] = "path"
    FACTS["lib_path"] = "path"; FACTS["tempdir"] = "tempdir"; FACTS["la_library"] = "library"
    FACTS["timezone"] = "zone"; FACTS["loading"] = "package"; FACTS["to_load"] = "package"
    FACTS["program"] = "tool,path"; FACTS["locale"] = "category,locale"; FACTS["software"] = "name,software"
    FACTS["version_string"] = "version_string"; FACTS["version"] = "version"
    FACTS["l10n"] = "switch,switch,switch,charset"; FACTS["capability"] = "capability,switch"
    FACTS["la_version"] = "version"; FACTS["rng_kind"] = "kind"; FACTS["umask"] = "umask"
    FACTS["limit"] = "kernel_limit"; FACTS["tempdir_exec"] = "switch"; FACTS["sort_probe"] = "letters"
    FACTS["graphics"] = "switch,switch,drawing"; FACTS["unresolved"] = "library,soname"
    FACTS["linked"] = "library,owner"; FACTS["objects_checked"] = "number"; FACTS["loaded"] = "package,version"
    FACT_WORDS["failed"] = 1; FACT_WORDS["not_loaded"] = 1; FACT_WORDS["graphics_error"] = 1
    FACT_WORDS["code_failed"] = 1
    NUMBER = 0; SECTION = ""; PRIVATE = 0; OPEN = ""; WITHIN = ""; MOST_LINES = 5000
}

{
    gsub(/[\001\002]/, "?")
    if (MODE == "r") { r_line($0); next }
    if (MODE == "words") { print message($0); next }
    if (MODE == "rows") { if ($0 != "") print rows($0); next }
    if (MODE == "pairs") { at = index($0, "\t"); if (at) print substr($0, 1, at) seen("fact", substr($0, 1, at - 1), substr($0, at + 1)); next }
    if (MODE == "passwd") { passwd($0); next }
    if (MODE == "services") { service($0); next }
    if (MODE == "ss") { sockets($0); next }
    # No configuration is longer, and to take words off the front of a long text takes long
    if (MODE == "shiny") { if (length(TEXT) < 60000) TEXT = TEXT substr($0, 1, 4096) "\n"; next }
    NUMBER++
    if (NUMBER > MOST_LINES) next
    # A private key, to its end or to the end of the file
    if ($0 ~ /-----BEGIN /) { PRIVATE = $0 !~ /-----BEGIN .*-----END /; print unique("line " NUMBER) "\t" mark("-----BEGIN"); next }
    if ($0 ~ /-----END /) { PRIVATE = 0; next }
    if (PRIVATE) next
    line = trimmed($0)
    if (line == "" || line ~ /^[#;]/) next
    WITHIN = OPEN
    if (MODE == "env" || MODE == "ini") OPEN = left_open(line, WITHIN)
    if (MODE == "env") assignment(line)
    else if (MODE == "ini") ini(line)
    else if (MODE == "limits") limits(line)
    else if (MODE == "json") json(line)
    else if (MODE == "unit") unit(line)
    else unparsed(line)
}

END {
    if (MODE == "shiny") shiny(TEXT)
    if (NUMBER > MOST_LINES) print "lines behind line " MOST_LINES "\t<not taken: 4097+ characters>"
    # Proof that all was looked at: an awk that ended before is no answer
    print "\001\002"
}
