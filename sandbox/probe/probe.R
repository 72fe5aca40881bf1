# What R says about itself; base R only, ASCII only, no single quotes (it travels inside a shell string).
#
# Read from standard input by `R --no-echo`, in front of it: probe_boundary, probe_secret_names,
# probe_secret_values, probe_userinfo (regular expressions) and probe_loads (packages to load).
# Prints one fact a line, fields separated by tabs, each line starting with the boundary. All is worked out
# before the first line is printed, so that messages (stderr) do not land inside a fact.
# Writes only into tempdir(), which R itself removes.
local({
  # What was said before this line is the start-up's
  cat("\n", probe_boundary, "\tbegin\n", sep = "")
  flush(stdout())
  lines <- character()
  escape <- function(x) {
    x <- as.character(x)
    x[is.na(x)] <- "NA"
    for (pair in list(c("\\", "\\\\"), c("\t", "\\t"), c("\n", "\\n"), c("\r", "\\r"))) {
      x <- gsub(pair[1L], pair[2L], x, fixed = TRUE, useBytes = TRUE)
    }
    x
  }
  say <- function(kind, ...) {
    fields <- lapply(list(...), escape)
    # A vector of length 0 means that there is nothing to tell
    if (all(lengths(fields) > 0L)) {
      lines <<- c(lines, do.call(paste, c(list(probe_boundary, "fact", kind), fields, sep = "\t")))
    }
  }
  attempt <- function(what, expr) {
    tryCatch(expr, error = function(e) say("failed", what, hide(conditionMessage(e))))
  }
  hide <- function(x) {
    x <- gsub(probe_userinfo, "://<redacted>@", x, perl = TRUE, useBytes = TRUE)
    x[grepl(probe_secret_values, x, perl = TRUE, useBytes = TRUE)] <- "<redacted>"
    x
  }
  hide_named <- function(names, x) {
    x <- hide(x)
    x[grepl(probe_secret_names, names, perl = TRUE) & nzchar(x)] <- "<redacted>"
    x
  }

  # The environment first: nothing of ours is in it yet
  environment_now <- Sys.getenv()
  # R sets this one empty for --no-init-file, which is our doing
  environment_now <- environment_now[names(environment_now) != "R_PROFILE_USER" |
                                       nzchar(environment_now)]
  say("environment", names(environment_now), hide_named(names(environment_now), environment_now))
  say("user", Sys.info()[["effective_user"]])
  say("working_dir", getwd())
  say("version_string", R.version.string)
  say("version", paste(R.version$major, R.version$minor, sep = "."))
  say("home", R.home())
  attempt("locale", {
    for (category in c("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY",
                       "LC_MESSAGES", "LC_PAPER", "LC_MEASUREMENT")) {
      say("locale", category, Sys.getlocale(category))
    }
    info <- l10n_info()
    say("l10n", info[["MBCS"]], info[["UTF-8"]], info[["Latin-1"]],
        if (is.null(info$codeset)) "" else info$codeset)
  })
  attempt("timezone", say("timezone", Sys.timezone()))
  attempt("capabilities", {
    found <- capabilities()
    say("capability", names(found), found)
  })
  attempt("external software", {
    found <- extSoftVersion()
    say("software", names(found), found)
  })
  attempt("LAPACK", {
    say("la_library", La_library())
    say("la_version", La_version())
  })
  attempt("random numbers", say("rng_kind", RNGkind()))
  attempt("options", {
    repos <- unlist(getOption("repos"))
    say("repo", names(repos), hide_named(names(repos), repos))
    others <- options()
    others <- others[names(others) != "repos"]
    plain <- vapply(others, function(x) is.atomic(x) && length(x) > 0L && length(x) <= 20L, NA)
    values <- vapply(others[plain], function(x) paste(as.character(x), collapse = ", "), "")
    say("option", names(values), hide_named(names(values), values))
  })
  attempt("packages", {
    say("lib_path", .libPaths())
    for (library_path in .libPaths()) {
      for (name in list.files(library_path)) {
        folder <- file.path(library_path, name)
        # As installed.packages() does: what has no DESCRIPTION with a Built field is not installed
        meta <- tryCatch(readRDS(file.path(folder, "Meta", "package.rds")),
                         error = function(e) NULL, warning = function(w) NULL)
        if (!is.null(meta)) {
          priority <- meta$DESCRIPTION["Priority"]
          say("package", name, meta$DESCRIPTION[["Version"]], library_path,
              as.character(meta$Built$R), if (is.na(priority)) "" else priority)
        }
      }
    }
  })
  say("umask", sprintf("%04o", as.integer(Sys.umask(NA))))
  attempt("limits", {
    limits <- readLines("/proc/self/limits")
    say("limit", grep("^Max (open files|processes)", limits, value = TRUE))
  })
  attempt("tempdir", {
    say("tempdir", tempdir())
    script <- tempfile("probe")
    writeLines(c("#!/bin/sh", "exit 0"), script)
    Sys.chmod(script, "0700")
    say("tempdir_exec", system(shQuote(script), ignore.stdout = TRUE, ignore.stderr = TRUE) == 0L)
    unlink(script)
  })
  say("sort_probe", sort(c("b", "A", "a", "B")))
  tryCatch({
    # fontconfig may want to write its cache: not into somebody's home
    Sys.setenv(XDG_CACHE_HOME = tempdir())
    draw <- function(label) {
      file <- tempfile("probe", fileext = ".png")
      on.exit(unlink(file))
      grDevices::png(file, width = 120, height = 80, type = "cairo")
      opened <- grDevices::dev.cur()
      tryCatch({
        graphics::par(mar = c(0, 0, 0, 0))
        graphics::plot.new()
        graphics::text(0.5, 0.5, label, cex = 3)
      }, finally = grDevices::dev.off(opened))
      readBin(file, "raw", 1e6)
    }
    first <- draw("Ab")
    second <- draw("Xy")
    say("graphics", length(first) > 0L, !identical(first, second))
  }, error = function(e) say("graphics_error", hide(conditionMessage(e))),
     warning = function(w) say("graphics_error", hide(conditionMessage(w))))
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
    for (chunk in split(objects, (seq_along(objects) - 1L) %/% 400L)) {
      said <- suppressWarnings(
        system2("sh", c("-c", shQuote(script), "sh", shQuote(chunk)), stdout = TRUE, stderr = TRUE))
      named <- grepl("^/.*:$", said)
      owner <- c("", sub(":$", "", said[named]))[cumsum(named) + 1L]
      missing <- grepl("=> not found", said, fixed = TRUE)
      say("unresolved", owner[missing], sub("^\\s*(\\S+) => .*$", "\\1", said[missing]))
      # Made for a newer system: the library is there, the symbol version in it is not
      too_old <- grepl(": version .* not found ", said)
      say("unresolved", owner[too_old], sub("^.*: version .([^ ]+). not found .*$", "\\1", said[too_old]))
    }
    say("objects_checked", length(objects))
  })

  cat("\n")
  writeLines(lines)
  cat(probe_boundary, "\tend-of-facts\n", sep = "")
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
    }, error = function(e) say("not_loaded", name, hide(conditionMessage(e))))
    cat("\n")
    writeLines(lines)
    flush(stdout())
  }
})
quit(save = "no", runLast = FALSE)
