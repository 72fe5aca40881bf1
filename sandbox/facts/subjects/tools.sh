# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The programs that R packages call.

tools_beside_r() {
    section tools
    for probe_tool in pandoc quarto pdflatex xelatex java python3 gcc g++ gfortran make git curl; do
        probe_path=$(command -v "$probe_tool" 2>/dev/null)
        case $probe_path in
        /*) ;;
        *) continue ;;
        esac
        case $probe_tool in
        java) probe_text=$(briefly java -version) ;;
        *) probe_text=$(briefly "$probe_tool" --version) ;;
        esac
        # Of what it says only the version: `gcc (Debian 12.2.0-14) 12.2.0`, `version "17.0.2" 2022-01-18`
        printf '%s\t%s\t%s\n' "$probe_tool" "$(readlink -f "$probe_path")" "$(printf '%s\n' "$probe_text" | head -n 1 |
            LC_ALL=C sed -n 's/([^)]*)//g; /"[0-9]/{s/^[^"]*"\([^"]*\)".*/\1/;p;q;}; s/^[^0-9]*\([0-9][0-9A-Za-z._+-]*\).*/\1/p')"
    done | take rows '' tool,path,version
}
