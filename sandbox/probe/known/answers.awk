# The second half of take.awk: tables of the system, messages, R's lines, and which mode reads what. A table that
# belongs to one fact is read by that fact's code (facts/subjects/*.awk), in a mode of its own

# ---- tables of the system ----------------------------------------------------------------------------

# A line not written as its program writes it is left out, and counted: the rest is still read
function odd() {
    ODD++
}

# Fields with a tab between them; NAME says what each is: `path,version,path`
function rows(line,    n, i, part, names, out) {
    n = split(line, part, "\t")
    # A file's name may have a tab
    if (n != split(NAME, names, ",")) { odd(); return }
    out = ""
    for (i = 1; i <= n; i++) out = out (i == 1 ? "" : "\t") seen("fact", names[i], part[i])
    return out
}

# A field with colons around it cannot hold a placeholder
function plain(name, value, instead) {
    return known("fact", name, value) ? value : instead
}

# ---- messages --------------------------------------------------------------------------------------

function bare_word(word) {
    sub(/^[].,:;()!?"'`<>[]+/, "", word)
    sub(/[].,:;()!?"'`<>[]+$/, "", word)
    return word
}

# Only words of R and its tools, names where names stand, numbers and places
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
        # Literals have their own lines: probe.R writes no quote here
        part[5] = part[5] ~ /["']/ ? mark(part[5]) : code(part[5], part[4] in TAKE)
        part[4] = seen_name("option", part[4])
    }
    else if (kind == "environment_file") { part[4] = seen_field("fact", "path", part[4]); part[5] = seen_name("env", part[5]) }
    else if (kind == "repo") { part[5] = seen_field("repo", part[4], part[5]); part[4] = seen_name("repo", part[4]) }
    else if (kind == "code_file") { PLACE = part[4]; return }
    else if (kind == "code_literal") { literal(part[4], part[5], part[6], part[7]); return }
    else if (kind == "code") { part[4] = seen_field("fact", "path", part[4]); part[6] = code(part[6], 0) }
    else if (kind == "package") {
        # An installed package has a name that R allows: IlluminaHumanMethylation450kanno.ilmn12.hg19
        if (part[4] !~ /^[A-Za-z][A-Za-z0-9.]*$/ || length(part[4]) > 80) part[4] = mark(part[4])
        if (part[11] !~ /^[A-Za-z0-9. ]*$/) part[11] = ""
        # Most versions are plain, and no expression need be made for each
        part[6] = seen_field("fact", "path", part[6])
        if (!known("repo", "CRAN", part[9])) part[9] = seen_field("fact", "repository", part[9])
        if (!known_remote(part[10])) part[10] = mark(part[10])
        if (part[5] !~ /^[0-9][0-9]?[0-9]?[.-][0-9][0-9]?[0-9]?([.-][0-9][0-9]?[0-9]?)?$/) part[5] = seen_field("fact", "version", part[5])
    }
    else if (kind in FACT_WORDS) {
        if (kind == "code_failed") part[4] = seen_field("fact", "path", part[4])
        # A failed item has one of our names, except a damaged package: that has the name of its folder
        if (part[4] ~ /^package / && (part[4] !~ /^package [A-Za-z][A-Za-z0-9.]*$/ || length(part[4]) > 80)) part[4] = "a package"
        if (!OWN && part[n] !~ /^its Meta\/package[.]rds (is damaged|cannot be read)$/) part[n] = message_field(part[n])
    }
    else for (i = 4; i <= n; i++) part[i] = seen_field("fact", fact_name(kind, i - 3), part[i])
    out = part[1]
    for (i = 2; i <= n; i++) out = out "\t" part[i]
    print out
}

# `github:r-lib/cli@` and a commit: 40 hexadecimal digits, but not a key
function known_remote(text) {
    if (match(text, /@[0-9a-f]+$/) && RLENGTH == 41) text = substr(text, 1, RSTART - 1)
    return known("fact", "remote", text)
}

# The meaning of a fact's fields (FACTS, from the subjects); the last meaning also holds for the rest
function fact_name(kind, at,    n, part) {
    n = split(FACTS[kind], part, ",")
    return n ? part[at < n ? at : n] : "nothing"
}

# A literal or a name of code, kept until its line comes. A held-back value keeps its kind: a text keeps
# its quotes, a whole number its L
function literal(id, kind, name, value,    found) {
    if (kind == "symbol") found = PLACE in TAKE_FILE || is_named("option", value) || is_named("env", value) || (value ~ G["name"] && value !~ RUN && length(value) <= 40)
    else found = known("option", name, value) || known("env", name, value) || known("code", name, value) ||
        (kind == "repo" && known("repo", "CRAN", value))
    WHOLE[id] = as_code(kind, value)
    if (found) LITERAL[id] = WHOLE[id]
    else LITERAL[id] = kind == "string" || kind == "repo" ? "\"" mark(value) "\"" : mark(value) (kind == "integer" ? "L" : "")
}

# As R writes it; the value is escaped once for the line, and text in quotes once more
function as_code(kind, value,    n, i, part) {
    if (kind == "integer") return value "L"
    if (kind == "symbol" && value != "" && value !~ /^[A-Za-z.][A-Za-z0-9._]*$/) return "`" value "`"
    if (kind == "number" || kind == "symbol") return value
    gsub(/\\/, "\\\\", value)
    n = split(value, part, "\"")
    value = part[1]
    for (i = 2; i <= n; i++) value = value "\\\\\"" part[i]
    return "\"" value "\""
}

function code(text, asked_for,    out, id) {
    out = ""
    while (match(text, /PROBE_LITERAL_[0-9]+_/)) {
        id = substr(text, RSTART + 14, RLENGTH - 15)
        out = out substr(text, 1, RSTART - 1) (id in LITERAL ? (asked_for ? WHOLE[id] : LITERAL[id]) : "?")
        text = substr(text, RSTART + RLENGTH)
    }
    return out text
}

# ---- whole modes -------------------------------------------------------------------------------------

function writer() {
    if (KIND in WRITER) return WRITER[KIND]
    if (NAME in WRITER) return WRITER[NAME]
    return MODE in WRITER ? WRITER[MODE] : "a list of " NAME
}

function words_of(text, into,    n, i, part) {
    n = split(text, part, " ")
    for (i = 1; i <= n; i++) into[part[i]] = 1
}

BEGIN {
    words_of("SSH_CLIENT SSH_CONNECTION SSH_TTY INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID XDG_SESSION_ID DBUS_SESSION_BUS_ADDRESS LS_COLORS MAIL SUDO_COMMAND SUDO_USER SUDO_UID SUDO_GID OLDPWD SHLVL _ MOTD_SHOWN MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE LISTEN_FDNAMES NOTIFY_SOCKET MANAGERPID", SESSION)
    FACT_WORDS["failed"] = 1; FACT_WORDS["not_loaded"] = 1; FACT_WORDS["graphics_error"] = 1
    FACT_WORDS["code_failed"] = 1
    WRITER["locale"] = "locale -a"; WRITER["font"] = "the names of fonts"; WRITER["certificate"] = "the names of certificates"
    WRITER["account,package,version,path"] = "the packages in people's own libraries"
    NUMBER = 0; SECTION = ""; PRIVATE = 0; OPEN = ""; WITHIN = ""; MOST_LINES = 5000
}

{
    gsub(/[\001\002]/, "?")
    if (MODE ~ /^(rows|pairs)$/ || MODE in OWN_MODE) sub(/\r$/, "")
    if (MODE == "r") { r_line($0); next }
    if (MODE == "words") { print message($0); next }
    if (MODE == "rows") { if ($0 != "") print rows($0); next }
    if (MODE == "pairs") { at = index($0, "\t"); if (at) print substr($0, 1, at) seen("fact", substr($0, 1, at - 1), substr($0, at + 1)); next }
    if (MODE in OWN_MODE) { take_own($0); next }
    # No configuration is longer, and taking words off the front of a long text takes long
    if (MODE == "shiny") {
        # Of the rest of the line, only closing brackets stay, and characters that hide them
        if (length($0) > 4096) { rest = substr($0, 4097); gsub(/[^{};"'#]/, "", rest); $0 = substr($0, 1, 4096) substr(rest, 1, 4096) }
        if (length(TEXT) < 60000) TEXT = TEXT $0 "\n"
        else CUT = 1
        next
    }
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
    end_own()
    if (CUT && KIND != "again") print "\n" B "\tsection\tnot-seen\nthe end of " PLACE "\tit is longer than any configuration"
    if (ODD) print "\n" B "\tsection\tnot-seen\n" ODD (ODD == 1 ? " line" : " lines") " of " writer() "\tnot as it should be written"
    if (NUMBER > MOST_LINES) print "lines behind line " MOST_LINES "\t<not taken: 4097+ characters>"
    # Proves that everything was looked at: an awk that ended before gives no answer
    print "\001\002"
}
