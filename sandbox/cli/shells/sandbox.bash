# Completes `sandbox` in bash; written by `sandbox --install-completion`.
_sandbox_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(_SANDBOX_COMPLETE=bash "${1/#\~\//$HOME/}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_LINE:0:COMP_POINT}" \
        2>/dev/null)
    # One may go on typing after a folder
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
# Where no word of ours fits: files
complete -o default -F _sandbox_completion sandbox
