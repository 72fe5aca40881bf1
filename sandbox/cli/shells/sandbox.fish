# Completes `sandbox` in fish; written by `sandbox --install-completion`.
function __sandbox_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $typed[1])
    set -l found (_SANDBOX_COMPLETE=fish $program $typed[2..-1] (string unescape -- $current; or echo -- $current) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path $current
    end
end
complete -c sandbox -e
complete -c sandbox -f -a '(__sandbox_complete)'
