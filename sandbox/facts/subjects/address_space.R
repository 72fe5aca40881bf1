  attempt("address space", {
    say("address_space", grep("^Max address space", readLines("/proc/self/limits"), value = TRUE))
  })
