  # The system package that brought each file; empty where none did
  owners_of <- function(files) {
    if (nzchar(Sys.which("dpkg-query"))) {
      # dpkg knows a file by the name it was packed under, /lib or /usr/lib
      names <- c(files, sub("^/usr", "", files), paste0("/usr", files))
      said <- suppressWarnings(system2("dpkg-query", c("-S", shQuote(unique(names))), stdout = TRUE,
                                       stderr = FALSE))
      said <- strsplit(grep("^[^ ]+: /", said, value = TRUE), ": ", fixed = TRUE)
      owner <- vapply(said, function(x) sub(":.*$", "", x[1L]), "")
      packed <- vapply(said, function(x) sub("^/usr", "", x[2L]), "")
      found <- owner[match(sub("^/usr", "", files), packed)]
    } else if (nzchar(Sys.which("rpm"))) {
      found <- suppressWarnings(system2("rpm", c("-qf", "--qf", shQuote("%{NAME}\\n"), shQuote(files)),
                                        stdout = TRUE, stderr = FALSE))
      if (length(found) != length(files)) found <- rep("", length(files))
      found[grepl(" ", found, fixed = TRUE)] <- ""
    } else {
      found <- rep("", length(files))
    }
    found[is.na(found)] <- ""
    found
  }
  lines <- character()
  attempt("shared objects", {
    # Here, because R has set LD_LIBRARY_PATH as it is when it loads them
    objects <- c(Sys.glob(file.path(.libPaths(), "*", "libs", "*.so")),
                 Sys.glob(file.path(c(R.home("lib"), R.home("modules")), "*.so")),
                 Sys.glob(file.path(R.home("library"), "*", "libs", "*.so")))
    objects <- unique(objects)
    # The loader that runs this R tells what ldd (a script around it) tells, four times as fast
    mapped <- sub("^[^/]*", "", readLines("/proc/self/maps"))
    loader <- grep("^/.*/ld-[^/]*[.]so[^/]*$", mapped, value = TRUE)[1L]
    ask <- if (is.na(loader) || grepl("musl", loader)) "ldd" else shQuote(loader)
    script <- paste0("for f; do printf \"%s:\\n\" \"$f\"; LD_TRACE_LOADED_OBJECTS=1 ", ask,
                     " \"$f\"; done")
    used <- character()
    for (chunk in split(objects, (seq_along(objects) - 1L) %/% 400L)) {
      said <- suppressWarnings(
        system2("sh", c("-c", shQuote(script), "sh", shQuote(chunk)), stdout = TRUE, stderr = TRUE))
      named <- grepl("^/.*:$", said)
      owner <- c("", sub(":$", "", said[named]))[cumsum(named) + 1L]
      missing <- grepl("=> not found", said, fixed = TRUE)
      say("unresolved", owner[missing], sub("^\\s*(\\S+) => .*$", "\\1", said[missing]))
      outside <- grep(" => /", said, fixed = TRUE, value = TRUE)
      used <- unique(c(used, sub("^.* => (/.*) \\(0x[0-9a-f]+\\)$", "\\1", outside)))
      # Made for a newer system: the library is there, the symbol version in it is not
      too_old <- grepl(": version .* not found ", said)
      say("unresolved", owner[too_old], sub("^.*: version .([^ ]+). not found .*$", "\\1", said[too_old]))
    }
    say("objects_checked", length(objects))
    used <- sort(used[!startsWith(used, R.home())])
    if (probe_owners) say("linked", used, owners_of(normalizePath(used, mustWork = FALSE)))
  })
  cat("\n")
  writeLines(lines)
  flush(stdout())
