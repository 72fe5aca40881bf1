# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Who may write into /tmp.

tmp_folder_at_once() {
    section tmp-folder
    stat -L -c 'tmp_mode	%a
tmp_owner	%U' /tmp 2>/dev/null | take pairs
}
