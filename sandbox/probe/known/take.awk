# Which values may leave this machine. In front of it, written by program.py: the tables
#   G[grammar], EX[kind, name], WORDS[kind, name], PK[i] PR[i] PG[i] (patterns for names), VOCABULARY[word],
#   TAKE[name] and TAKE_FILE[path] (what a person asked for by name), NEVER, RUN, SHAPED, CALL, INTRODUCED
# and called with
#   MODE    how the lines are to be read (the functions below)
#   KIND, NAME, PLACE  whose names they are; one name for all lines; the file
#   B       the boundary, for MODE=r
# A value that is not known comes out as \001CLASS\002VALUE\001, and goes no further than to `tokens`
# (probe.sh), which puts a placeholder there. Any POSIX awk, bytes (LC_ALL=C).

# ---- known or not ----------------------------------------------------------------------------------

function known(kind, name, value,    key, list, n, i, part) {
    if (value == "") return 1
    if (name in TAKE || PLACE in TAKE_FILE) return 1
    if (length(value) > LONGEST || value ~ RUN) return 0
    key = kind SUBSEP name
    if (key in WORDS && value ~ WORDS[key]) return 1
    list = ""
    if (key in EX) list = EX[key]
    else if (!(key in WORDS) && name !~ NEVER)
        for (i = 1; i <= PATTERNS; i++)
            if (PK[i] == kind && name ~ PR[i]) { list = PG[i]; break }
    n = split(list, part, " ")
    for (i = 1; i <= n; i++) if (value ~ G[part[i]]) return 1
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

# In place of an (escaped) value
function mark(field,    copy) {
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
function seen_name(kind, name) {
    if ((kind SUBSEP name) in EX || (kind SUBSEP name) in WORDS) return name
    if (length(name) <= 64 && name !~ RUN && name ~ G["name"]) return name
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

function assignment(line,    at, name, value) {
    sub(/^export[ \t]+/, "", line)
    at = index(line, "=")
    if (at == 0) { unparsed(line); return }
    name = trimmed(substr(line, 1, at - 1))
    value = unquoted(trimmed(substr(line, at + 1)))
    if (name !~ /^[A-Za-z_][A-Za-z0-9_.]*$/) { unparsed(line); return }
    print unique(seen_name("env", name)) "\t" seen_default(name, value)
}

function ini(line,    at, name, value) {
    if (line ~ /^\[.*\]$/) {
        SECTION = substr(line, 2, length(line) - 2)
        gsub(/"/, "", SECTION)
        SECTION = trimmed(SECTION)
        if (SECTION !~ G["driver"] || SECTION ~ RUN || length(SECTION) > 64)
            SECTION = "section not taken " (++SECTIONS)
        return
    }
    at = index(line, "=")
    if (at == 0) { unparsed(line); return }
    name = trimmed(substr(line, 1, at - 1))
    value = unquoted(trimmed(substr(line, at + 1)))
    if (name !~ /^[A-Za-z][A-Za-z0-9_. -]*$/) { unparsed(line); return }
    if (KIND == "odbc" && SECTION ~ /^ODBC (Drivers|Data Sources)$/) {
        print unique(SECTION "." (name ~ G["driver"] && name !~ RUN ? name : "name not taken " (++NAMELESS))) "\t" seen("fact", "driver", value)
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
        if (at > 1) print unique("Environment." seen_name("env", substr(word, 1, at - 1))) "\t" seen("env", substr(word, 1, at - 1), substr(word, at + 1))
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
    if (!(("shiny" SUBSEP name) in EX || ("shiny" SUBSEP name) in WORDS)) {
        shown = (name ~ G["name"] && name !~ RUN && length(name) < 40) ? name : mark(escaped(name))
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
        print part[1] ":x:" part[3] ":" part[4] "::" plain("path", part[6], "/not-taken") ":" plain("path", part[7], "/not-taken")
        return
    }
    count = split(part[4], member, ",")
    out = ""
    for (i = 1; i <= count; i++) out = out (i == 1 ? "" : ",") plain("account", member[i], "not-taken")
    print part[1] ":x:" part[3] ":" out
}

function service(line,    at, name, value) {
    if (line == "") { print ""; return }
    at = index(line, "=")
    name = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (name == "Id") value = plain("unit", value, "not-taken.service")
    else if (value !~ /^[a-z0-9-]*$/) value = ""
    print name "=" value
}

# The names of processes stand in quotes
function sockets(line,    out, name) {
    out = ""
    while (match(line, /"[^"]*"/)) {
        name = substr(line, RSTART + 1, RLENGTH - 2)
        out = out substr(line, 1, RSTART) plain("process", name, "not-taken") "\""
        line = substr(line, RSTART + RLENGTH)
    }
    print out line
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
    else if (kind == "code") part[6] = code(part[6])
    else if (kind == "package") {
        part[4] = seen_field("fact", "package", part[4])
        part[6] = seen_field("fact", "path", part[6])
        if (!known("repo", "CRAN", part[9])) part[9] = seen_field("fact", "repository", part[9])
        if (!known("repo", "CRAN", part[10])) part[10] = seen_field("fact", "remote", part[10])
        part[5] = seen_field("fact", "version", part[5])
    }
    else if (kind in FACT_NAME) { for (i = 4; i <= n; i++) part[i] = seen_field("fact", FACT_NAME[kind], part[i]) }
    else if (kind in FACT_VALUE) part[5] = seen_field("fact", FACT_VALUE[kind], part[5])
    else if (kind in FACT_WORDS) { if (!OWN) part[n] = message_field(part[n]) }
    else for (i = 4; i <= n; i++) part[i] = seen_field("fact", "sentence", part[i])
    out = part[1]
    for (i = 2; i <= n; i++) out = out "\t" part[i]
    print out
}

# A literal or a name of code, kept until the line that it stands in comes
function literal(id, kind, name, value,    found) {
    if (kind == "symbol") found = PLACE in TAKE_FILE || (value ~ G["name"] && value !~ RUN && length(value) <= 40)
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
    FACT_NAME["user"] = "account"; FACT_NAME["working_dir"] = "path"; FACT_NAME["home"] = "path"
    FACT_NAME["lib_path"] = "path"; FACT_NAME["tempdir"] = "path"; FACT_NAME["la_library"] = "path"
    FACT_NAME["timezone"] = "zone"; FACT_NAME["loading"] = "package"; FACT_NAME["to_load"] = "package"
    FACT_VALUE["program"] = "path"; FACT_VALUE["locale"] = "locale"; FACT_VALUE["software"] = "software"
    FACT_WORDS["failed"] = 1; FACT_WORDS["not_loaded"] = 1; FACT_WORDS["graphics_error"] = 1
    FACT_WORDS["code_failed"] = 1
    NUMBER = 0; SECTION = ""; PRIVATE = 0; KEPT = ""
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
    if (MODE == "shiny") { TEXT = TEXT $0 "\n"; next }
    NUMBER++
    # A private key, to its end or to the end of the file
    if ($0 ~ /-----BEGIN /) { PRIVATE = 1; print unique("line " NUMBER) "\t" mark("-----BEGIN"); next }
    if ($0 ~ /-----END /) { PRIVATE = 0; next }
    if (PRIVATE) next
    line = KEPT trimmed($0)
    KEPT = ""
    if (line == "" || line ~ /^[#;]/) next
    if (line ~ /\\$/ && MODE != "unit") { KEPT = substr(line, 1, length(line) - 1); next }
    if (MODE == "env") assignment(line)
    else if (MODE == "ini") ini(line)
    else if (MODE == "limits") limits(line)
    else if (MODE == "json") json(line)
    else if (MODE == "unit") unit(line)
    else unparsed(line)
}

END {
    if (MODE == "shiny") shiny(TEXT)
    if (KEPT != "") unparsed(KEPT)
    # Proof that all was looked at: an awk that ended before is no answer
    print "\001\002"
}
