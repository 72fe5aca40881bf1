  say("umask", sprintf("%04o", as.integer(Sys.umask(NA))))
  attempt("limits", {
    limits <- readLines("/proc/self/limits")
    say("limit", grep("^Max (open files|processes)", limits, value = TRUE))
  })
