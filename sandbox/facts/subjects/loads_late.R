  to_load <- strsplit(probe_loads, " ", fixed = TRUE)[[1L]]
  lines <- character()
  say("to_load", to_load)
  writeLines(lines)
  flush(stdout())
  for (name in to_load) {
    cat(probe_boundary, "fact", "loading", name, sep = "\t")
    cat("\n")
    flush(stdout())
    lines <- character()
    tryCatch({
      suppressWarnings(suppressMessages(loadNamespace(name)))
      say("loaded", name, as.character(utils::packageVersion(name)))
    }, error = function(e) say("not_loaded", name, conditionMessage(e)))
    cat("\n")
    writeLines(lines)
    flush(stdout())
  }
