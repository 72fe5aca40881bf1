#!/bin/bash
# Turns a sandbox made from boxes/shiny.yml into a server that somebody has looked after by hand for
# years. Runs as root in a throw-away container, once. PLANTED is a secret that must not leave it.
set -eu

# Another locale than the box's, and an odd timezone
sed -i 's/^# *de_AT.UTF-8 UTF-8/de_AT.UTF-8 UTF-8/' /etc/locale.gen
grep -q '^de_AT.UTF-8 UTF-8' /etc/locale.gen || echo 'de_AT.UTF-8 UTF-8' >>/etc/locale.gen
locale-gen >/dev/null
update-locale LANG=de_AT.UTF-8
ln -sfn /usr/share/zoneinfo/Pacific/Chatham /etc/localtime
echo Pacific/Chatham >/etc/timezone
sed -i '/TZ=/d; /LANG=/d' /etc/environment /etc/R/Renviron.site /etc/profile.d/sandbox.sh

# A setting that apps read, a secret beside it, and an Rprofile.site with both
printf 'SALES_DB=staging\n' >>/etc/environment
printf 'SALES_DB=staging\nDB_PASSWORD=%s\nDATABASE_URL=postgres://app:%s@db.example.org/sales\n' \
    "$PLANTED" "$PLANTED" >>/etc/R/Renviron.site
cat >>/etc/R/Rprofile.site <<END
options(digits = 5, OutDec = ",")
# old key: $PLANTED
options(sales.api_token = "$PLANTED")
END

# A package one version behind, before the distribution's in the path; another in a person's library
useradd --create-home --shell /bin/bash anna
user_library=/home/anna/R/x86_64-pc-linux-gnu-library/4.2
mkdir -p "$user_library" /usr/local/lib/R/site-library
older() {
    cp -a "/usr/lib/R/site-library/$1" "$2/"
    # Built from somebody's own folder: where it is from, it does not say
    sed -i "s/^Version: .*/Version: $3/; /^Repository:/d" "$2/$1/DESCRIPTION"
    # shellcheck disable=SC2016  # R's own dollars
    R --slave --no-init-file -e '
        args <- commandArgs(TRUE); file <- file.path(args[1], "Meta", "package.rds")
        meta <- readRDS(file); meta$DESCRIPTION[["Version"]] <- args[2]
        meta$DESCRIPTION <- meta$DESCRIPTION[names(meta$DESCRIPTION) != "Repository"]; saveRDS(meta, file)
    ' --args "$2/$1" "$3" >/dev/null
}
older crayon /usr/local/lib/R/site-library 1.5.1
older withr "$user_library" 2.0.0
chown -R anna: /home/anna

# A library that an upgrade took away under a package
rm -f /usr/lib/x86_64-linux-gnu/libsodium.so.23*

# A second R, built by hand
mkdir -p /opt/local/R/4.1.0/lib /opt/local/R/4.1.0/bin
cp -a /usr/lib/R /opt/local/R/4.1.0/lib/R
sed -i 's|^R_HOME_DIR=.*|R_HOME_DIR=/opt/local/R/4.1.0/lib/R|' /opt/local/R/4.1.0/lib/R/bin/R
sed -i 's/^Version: .*/Version: 4.1.0/' /opt/local/R/4.1.0/lib/R/library/base/DESCRIPTION
ln -s ../lib/R/bin/R /opt/local/R/4.1.0/bin/R

# /tmp on which nothing can be run
mount -t tmpfs -o noexec,nosuid tmpfs /tmp

# Somebody who logs in as root with a key, to a hostile profile and a banner
mkdir -p /root/.ssh
printf '%s\n' "$PUBLIC_KEY" >/root/.ssh/authorized_keys
printf 'cat("hello from .Rprofile\\n"); quit(status = 3)\n' >/root/.Rprofile
printf 'echo "Welcome to production. Unauthorised access is logged."\n' >>/root/.profile
printf 'PermitRootLogin prohibit-password\nBanner /etc/banner\n' >/etc/ssh/sshd_config.d/00-production.conf
printf '*** authorised staff only ***\n' >/etc/banner
systemctl restart ssh
systemctl restart shiny-server
