#!/bin/bash
# A thousand R packages more, every other one with a shared library. Runs as root in a throw-away container.
set -eu

mkdir -p /root/.ssh
printf '%s\n' "$PUBLIC_KEY" >/root/.ssh/authorized_keys
printf 'PermitRootLogin prohibit-password\n' >/etc/ssh/sshd_config.d/00-production.conf
systemctl restart ssh

R --slave --no-init-file <<'END'
from <- "/usr/lib/R/site-library"
to <- "/usr/local/lib/R/site-library"
for (i in seq_len(1000)) {
  name <- sprintf("made%04d", i)
  model <- file.path(from, if (i %% 2) "crayon" else "httpuv")
  dir.create(file.path(to, name, "Meta"), recursive = TRUE)
  meta <- readRDS(file.path(model, "Meta", "package.rds"))
  meta$DESCRIPTION[["Package"]] <- name
  saveRDS(meta, file.path(to, name, "Meta", "package.rds"))
  said <- readLines(file.path(model, "DESCRIPTION"))
  writeLines(sub("^Package: .*", paste("Package:", name), said), file.path(to, name, "DESCRIPTION"))
  library <- file.path(model, "libs", "httpuv.so")
  if (file.exists(library)) {
    dir.create(file.path(to, name, "libs"))
    invisible(file.copy(library, file.path(to, name, "libs", paste0(name, ".so"))))
  }
}
END
