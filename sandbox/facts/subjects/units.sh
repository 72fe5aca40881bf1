# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# What the units of R's servers set.

units_beside_r() {
    [ -d /run/systemd/system ] || return
    section units
    for probe_tool in shiny-server rstudio-server rstudio-launcher rstudio-connect rstudio-pm; do
        for probe_dir in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            if [ -e "$probe_dir/$probe_tool.service" ]; then
                section unit "$probe_tool.service"
                LC_ALL=C systemctl show --no-pager "$probe_tool.service" -p User,Group,Environment \
                    -p EnvironmentFiles,LimitNOFILE,LimitNPROC,MemoryMax,TasksMax,UMask,PrivateTmp \
                    -p Restart,NoNewPrivileges,ProtectSystem,ProtectHome,Nice,DropInPaths,FragmentPath \
                    2>/dev/null | take unit
                break
            fi
        done
    done
}
