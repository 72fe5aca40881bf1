#compdef sandbox
# Completes `sandbox` in zsh; written by `sandbox --install-completion`.
_sandbox() {
    local line value program=${(Q)words[1]}
    local -a values shown folders
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        if [[ $value == */ ]]; then
            folders+=("$value")
        else
            values+=("$value")
            shown+=("${line/$'\t'/  -- }")
        fi
    done < <(_SANDBOX_COMPLETE=zsh "${program/#\~\//$HOME/}" "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    # --option=VALUE
    if [[ $PREFIX == --*=* ]]; then
        compset -P '*='
    fi
    if (( ! ${#values} && ! ${#folders} )); then
        _files
        return
    fi
    (( ${#values} )) && compadd -l -d shown -a values
    (( ${#folders} )) && compadd -S '' -a folders
}
if [[ ${funcstack[1]} == _sandbox ]]; then
    _sandbox "$@"
else
    compdef _sandbox sandbox
fi
