# What of this subject may leave the machine; goes into the program of ../../probe/known/take.awk

# One unit after the other, an empty line between two: all that is said of it, or nothing
function take_services(line,    at, name, value) {
    if (line == "") { end_services(); return }
    at = index(line, "=")
    name = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (name !~ /^(Id|LoadState|ActiveState|SubState|UnitFileState|Restart|MainPID)$/) return
    if (name == "Id") value = plain("unit", value, "not-taken.service")
    else if (name == "MainPID") { if (value !~ /^[0-9]*$/ || length(value) > 7) value = "" }
    else value = plain("unit_state", value, "")
    BLOCK = BLOCK name "=" value "\n"
    OF_UNIT[name] = value
}

function end_services(    whole) {
    if (BLOCK == "") return
    whole = OF_UNIT["Id"] != "" && OF_UNIT["SubState"] ~ /^[A-Za-z][A-Za-z0-9_-]*$/ && OF_UNIT["MainPID"] != ""
    whole = whole && OF_UNIT["LoadState"] ~ /^(loaded|not-found|bad-setting|error|masked|merged|stub)$/
    whole = whole && OF_UNIT["ActiveState"] ~ /^(active|reloading|inactive|failed|activating|deactivating|maintenance|refreshing)$/
    whole = whole && OF_UNIT["Restart"] ~ /^(no|on-success|on-failure|on-abnormal|on-watchdog|on-abort|always)$/
    if (whole) print BLOCK
    else odd()
    BLOCK = ""
    split("", OF_UNIT)
}

BEGIN { WRITER["services"] = "systemctl show (services)" }
