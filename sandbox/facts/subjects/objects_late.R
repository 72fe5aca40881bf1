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
    # R gives up on a command that ends as the loader does when it cannot read an object
    script <- paste0("for f; do printf \"%s:\\n\" \"$f\"; LD_TRACE_LOADED_OBJECTS=1 ", ask,
                     " \"$f\"; done; exit 0")
    used <- character()
    # Where a library is found whichever object asks for it
    for_all <- dirname(grep("/libc[.-]", mapped, value = TRUE))
    for_all <- c("/lib", "/lib64", for_all, sub("/+$", "", strsplit(Sys.getenv("LD_LIBRARY_PATH"), ":")[[1L]]))
    for_all <- unique(sub("^/usr/lib", "/lib", for_all))
    resolved <- function(said) sub("^.* => (/.*) \\(0x[0-9a-f]+\\)$", "\\1", grep(" => /", said, value = TRUE))
    # One process that has loaded all of them, as an R may. Each by itself where that cannot stand for it
    # alone: something is missing, or was found on a path that only some objects have
    in_one <- function(objects) {
      if (ask == "ldd" || any(grepl("[[:space:]:]", objects))) return(one_by_one(objects))
      at_once <- "LD_TRACE_LOADED_OBJECTS=1 LD_PRELOAD=\"$3\" \"$1\" \"$2\"; exit 0"
      said <- suppressWarnings(system2("sh", c("-c", shQuote(at_once), "sh", ask, shQuote(objects[1L]),
        shQuote(paste(objects[-1L], collapse = ":"))), stdout = TRUE, stderr = TRUE))
      loaded <- sub("^\\s*(/.*) \\(0x[0-9a-f]+\\)$", "\\1", said)
      whole <- all(objects[-1L] %in% loaded) && !any(grepl("not found|cannot|error", said))
      from <- sub("^/usr/lib", "/lib", dirname(resolved(said)))
      if (whole && all(from %in% for_all)) said else one_by_one(objects)
    }
    one_by_one <- function(objects) {
      said <- suppressWarnings(
        system2("sh", c("-c", shQuote(script), "sh", shQuote(objects)), stdout = TRUE, stderr = TRUE))
      named <- grepl("^/.*:$", said)
      owner <- c("", sub(":$", "", said[named]))[cumsum(named) + 1L]
      missing <- grepl("=> not found", said, fixed = TRUE)
      say("unresolved", owner[missing], sub("^\\s*(\\S+) => .*$", "\\1", said[missing]))
      # Made for a newer system: the library is there, the symbol version in it is not
      too_old <- grepl(": version .* not found ", said)
      say("unresolved", owner[too_old], sub("^.*: version .([^ ]+). not found .*$", "\\1", said[too_old]))
      said
    }
    # Another name may be a library that other objects ask for: loaded already, it would not be looked for
    own_name <- basename(objects) == paste0(basename(dirname(dirname(objects))), ".so")
    ask_about <- function(objects, how) {
      for (chunk in split(objects, (seq_along(objects) - 1L) %/% 50L)) {
        used <<- unique(c(used, resolved(how(chunk))))
      }
    }
    ask_about(objects[own_name], in_one)
    ask_about(objects[!own_name], one_by_one)
    say("objects_checked", length(objects))
    used <- sort(used[!startsWith(used, R.home())])
    if (probe_owners) say("linked", used, owners_of(normalizePath(used, mustWork = FALSE)))
  })
  cat("\n")
  writeLines(lines)
  flush(stdout())
