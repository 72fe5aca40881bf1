# Which values may leave this machine. In front of it, written by program.py: the tables
#   G[grammar], EX[kind, name], WORDS[kind, name], PK[i] PR[i] PG[i] (patterns for names), VOCABULARY[word],
#   FACTS[kind] (fields of R's lines), TAKE[name] and TAKE_FILE[path] (names that a person asked for), NEVER, RUN, NAME_RUN, SHAPED, CALL, INTRODUCED
# and called with
#   MODE    how to read the lines (the functions below)
#   KIND, NAME, PLACE  the kind of the names; one name for all lines; the file
#   B       the boundary, for MODE=r
# An unknown value comes out as \001CLASS\002VALUE\001, and goes no further than to `placeholders`
# (probe.sh), which puts a placeholder there. Any POSIX awk, bytes (LC_ALL=C).

# ---- known or not ----------------------------------------------------------------------------------

# Judged once: most awks compile an expression again each time after another one was used
function known(kind, name, value,    key) {
    if (value == "") return 1
    # Asked for or not: no setting is that long
    if (length(value) > 100000) return 0
    if (name in TAKE || PLACE in TAKE_FILE) return 1
    key = kind SUBSEP name SUBSEP value
    if (!(key in JUDGED)) JUDGED[key] = judged(kind, name, value)
    return JUDGED[key]
}

function judged(kind, name, value,    key, list, n, i, part) {
    if (length(value) > LONGEST) return 0
    key = kind SUBSEP name
    # Words from our own lists may be long; where any letter or digit fits, a long run may be a key
    if (key in WORDS && value ~ WORDS[key] && (WORDS[key] !~ ANY_RANGE || value !~ RUN)) return 1
    if (value ~ RUN) return 0
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

# The text in place of an (escaped) value. A value of a page or more is not hashed: that takes the shell too long
function mark(field,    copy) {
    if (length(field) > 4096) return "<not taken: " length_class(length(field)) " characters>"
    copy = field
    gsub(/\\./, "x", copy)
    return "\001" length_class(length(copy)) "\002" field "\001"
}

# A (not escaped) value in the form that may be seen
function seen(kind, name, value) {
    return known(kind, name, value) ? escaped(value) : mark(escaped(value))
}

# The same for a value that is escaped already
function seen_field(kind, name, field) {
    return known(kind, name, field) ? field : mark(field)
}

# A name in the form that may be seen: words, not text that somebody wrote in the wrong place
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

# A line of an environment file: in R's `${NAME-text}` the text is looked at
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
    print unique("line " NUMBER) "\t" (PLACE in TAKE_FILE && length(line) <= 100000 ? escaped(line) : mark(escaped(line)))
}

# What a line leaves open for the next ones: a quote, or a backslash at its end; empty for nothing
function left_open(line, before,    value, copy) {
    if (line ~ /\\$/) return "\\"
    if (before == "\"" || before == "'") return index(line, before) ? "" : before
    value = trimmed(substr(line, index(line, "=") + 1))
    copy = value
    if (gsub(/"/, "", copy) % 2) return "\""
    return substr(value, 1, 1) == "'" && index(substr(value, 2), "'") == 0 ? "'" : ""
}

# Whether a line may be part of a value and not a setting: it goes on from the line before, or is
# the end of a key in base64. Known names with known values count as settings all the same
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
    if (match(line, /^\[[^]]*\]/) && substr(line, RLENGTH + 1) ~ /^[ \t]*([#;].*)?$/) {
        # A comment may stand after it
        SECTION = substr(line, 2, RLENGTH - 2)
        gsub(/"/, "", SECTION)
        SECTION = trimmed(SECTION)
        # `RPackageRepository CRAN` is two names
        two = SECTION; sub(/ /, ".", two)
        # Of logging.conf: for all loggers
        if (SECTION == "*") return
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
        print unique(SECTION "." ((name ~ G["driver"] || name ~ G["name"]) && name !~ RUN && length(name) <= 64 ? name : "name not taken " (++NAMELESS))) "\t" seen("fact", "driver", value)
        return
    }
    print unique((SECTION == "" ? "" : SECTION ".") seen_name(KIND, name)) "\t" seen(KIND, name, value)
}

# limits.conf: domain, type, item, value
function limits(line,    part, n) {
    n = split(line, part, " ")
    if (n != 4 || length(part[1]) > 64 || part[1] !~ /^([*]|[@%]?[a-z_][a-z_-]*[0-9]?[0-9]?[0-9]?)$/ || part[2] !~ /^(soft|hard|-)$/ ||
        !(("limits" SUBSEP part[3]) in EX)) { unparsed(line); return }
    print unique(part[1] " " part[2] " " part[3]) "\t" seen("limits", part[3], part[4])
}

# A line of JSON: only switches are known, whatever their names are. Names inside braces get the outer name
# in front: `a.b`
function json(line,    name, value, full) {
    if (line ~ /^[]}]+,?$/) { if (DEPTH > 0) DEPTH--; return }
    if (line ~ /^[{[]$/) { DEPTH++; PREFIX[DEPTH] = PREFIX[DEPTH - 1]; return }
    if (line !~ /^"[A-Za-z_]+": *[^ ]/) { unparsed(line); return }
    name = substr(line, 2); sub(/".*/, "", name)
    value = line; sub(/^"[A-Za-z_]+": */, "", value); sub(/,$/, "", value)
    full = PREFIX[DEPTH] seen_name("rstudio", name)
    if (length(full) > 1000) full = substr(full, 1, 1000)
    if (value ~ /^[{[]$/) { DEPTH++; PREFIX[DEPTH] = full "."; return }
    if (value ~ /^(true|false|null)$/) print unique(full) "\t" value
    else print unique(full) "\t" seen("rstudio", name, unquoted(value))
}

# `systemctl show`: NAME=VALUE; Environment= holds assignments, in quotes where they have blanks
function unit(line,    at, name, value) {
    at = index(line, "=")
    if (at == 0) return
    name = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (name !~ /^[A-Za-z]+$/ || length(name) > 64) return
    if (name == "Environment") { unit_environment(value); return }
    if (name == "EnvironmentFiles") { sub(/ \(ignore_errors=(no|yes)\)$/, "", value); print unique(name) "\t" seen("fact", "path", value); return }
    if (value == "" || value == "[not set]") return
    print unique(name) "\t" seen("unit", name, value)
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
function shiny(text,    at, token, raw, name, words, shown, count) {
    name = ""; words = ""; shown = ""; count = 0
    while (text != "") {
        if (match(text, /^[ \t\r\n]+/)) { text = substr(text, RLENGTH + 1); continue }
        if (match(text, /^#[^\n]*/)) { text = substr(text, RLENGTH + 1); continue }
        if (match(text, /^[{};]/)) {
            token = substr(text, 1, 1); text = substr(text, 2)
            shiny_statement(name, words, shown, token)
            name = ""; words = ""; shown = ""; count = 0
            continue
        }
        if (match(text, /^"([^"\\]|\\.)*"/) || match(text, /^'([^'\\]|\\.)*'/)) {
            token = substr(text, 2, RLENGTH - 2); raw = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
            # Quotes stay where they hold together several words
            if (token ~ /^[^ \t\r\n{};"'#]+$/) raw = token
        } else if (match(text, /^[^ \t\r\n{};"'#]+/)) {
            token = raw = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
        } else {
            # A quote without an end: the rest is one word
            token = raw = text; text = ""
        }
        if (count++ == 0) name = token
        else { words = words (words == "" ? "" : " ") token; shown = shown (shown == "" ? "" : " ") raw }
    }
    if (name != "") shiny_statement(name, words, shown, "")
}

function shiny_statement(name, words, quoted, stop,    shown) {
    if (name == "" && stop != "}") return
    if (name == "") { print "}"; return }
    if (!is_named("shiny", name)) {
        # Not even its name: a `;` in an unquoted value begins a statement
        shown = mark(escaped(name))
        if (words != "") shown = shown " " mark(escaped(words))
    } else {
        shown = name
        if (words != "") shown = shown " " (known("shiny", name, words) ? escaped(quoted) : mark(escaped(words)))
    }
    print shown (stop == "{" ? " {" : ";")
}
