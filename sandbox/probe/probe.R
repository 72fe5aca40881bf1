# What R says about itself; base R only, ASCII only, no single quotes (it travels inside a shell string).
#
# Read from standard input by `R --no-echo`, in front of it: probe_boundary, probe_loads (packages to load) and
# probe_owners (whether to ask who owns the libraries). What it prints goes through take.awk on this machine,
# which holds back what is not known to be harmless: here nothing is hidden.
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
    tryCatch(expr, error = function(e) say("failed", what, conditionMessage(e)))
  }

  # The environment first: nothing of ours is in it yet
  environment_now <- tryCatch(Sys.getenv(), error = function(e) {
    # A value is no text in this locale; in C each byte is a letter
    before <- Sys.getlocale("LC_CTYPE")
    on.exit(Sys.setlocale("LC_CTYPE", before))
    Sys.setlocale("LC_CTYPE", "C")
    Sys.getenv()
  })
  # R sets this one empty for --no-init-file, which is our doing
  environment_now <- environment_now[names(environment_now) != "R_PROFILE_USER" |
                                       nzchar(environment_now)]
  say("environment", names(environment_now), environment_now)
  attempt("environment files", {
    # Which personal file R has read, and the names that stand in it: the values are in the environment
    site <- Sys.getenv("R_ENVIRON")
    own <- Sys.getenv("R_ENVIRON_USER")
    own <- path.expand(if (nzchar(own)) own else c(".Renviron", "~/.Renviron"))
    for (file in c(site[nzchar(site)], own[file.access(own, 4L) == 0L][1L])) {
      if (is.na(file) || file.access(file, 4L) != 0L || !isTRUE(file.size(file) < 200000)) next
      found <- readLines(file, warn = FALSE)
      found <- grep("^[ \\t]*[A-Za-z_][A-Za-z0-9_]*[ \\t]*=", found, value = TRUE, useBytes = TRUE)
      found <- unique(sub("^[ \\t]*([A-Za-z0-9_]*).*$", "\\1", found, useBytes = TRUE))
      # What R took for no variable may be a part of a value
      say("environment_file", normalizePath(file), found[found %in% names(environment_now)])
    }
  })
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
  # R code as R reads it: its comments are gone, and each literal and name is told by itself, so that what is
  # not known can be held back and the rest of the code seen
  r_names <- c(ls(baseenv(), all.names = TRUE), unlist(lapply(
    c("stats", "utils", "methods", "grDevices", "graphics"), getNamespaceExports)))
  literals <- 0L
  literal <- function(kind, name, value) {
    literals <<- literals + 1L
    say("code_literal", literals, kind, name, value)
    as.name(paste0("PROBE_LITERAL_", literals, "_"))
  }
  symbol <- function(text) {
    if (!nzchar(text) || text %in% r_names) as.name(text) else literal("symbol", "", text)
  }
  # The name that a value is given: x, x$y, x[["y"]]
  assigned <- function(target) {
    last <- if (is.call(target)) target[[length(target)]] else target
    if (is.symbol(last) || is.character(last)) as.character(last) else ""
  }
  of_calls <- c(library = ".package", require = ".package", requireNamespace = ".package",
                loadNamespace = ".package", attachNamespace = ".package", .libPaths = ".path",
                source = ".path", sys.source = ".path", file.path = ".path", normalizePath = ".path",
                file.exists = ".path", dir.exists = ".path", readRenviron = ".path", dyn.load = ".path",
                setwd = ".path", `[` = ".name", `[[` = ".name", `$` = ".name",
                getOption = ".name", Sys.getenv = ".name", Sys.setlocale = ".locale",
                Sys.umask = ".number", set.seed = ".number", Sys.sleep = ".number")
  passing_on <- c("c", "list", "(", "{", "if", "structure", "unlist", "as.integer", "as.numeric", "append",
                  "unique", "invisible", "+", "-", "*", "/", "^", ":")
  # A number as no option changes it (OutDec, scipen), with all digits that it needs
  exact <- function(x) {
    if (!is.double(x)) return(format(x, digits = 15L, decimal.mark = ".", scientific = FALSE))
    short <- sprintf("%.15g", x)
    if (is.finite(x) && as.numeric(short) != x) sprintf("%.17g", x) else short
  }
  of_option <- FALSE
  walk <- function(x, name, kind) {
    if (is.symbol(x)) return(symbol(as.character(x)))
    if (is.null(x)) return(x)
    # What somebody put into a call may have attributes, or be many: of that nothing is told
    if (is.atomic(x)) {
      attributes(x) <- NULL
      if (length(x) != 1L) return(literal("string", "", "something else"))
    } else if (is.call(x)) {
      called <- names(x)
      attributes(x) <- NULL
      names(x) <- called
    }
    if (is.logical(x)) return(x)
    # NA, NaN and Inf of every type tell nothing
    if (is.atomic(x) && length(x) == 1L && (is.na(x) || is.numeric(x) && is.infinite(x))) return(x)
    if (is.character(x) && length(x) == 1L) return(literal(kind, name, x))
    if (is.integer(x)) return(literal("integer", name, exact(x)))
    if (is.numeric(x) || is.complex(x)) return(literal("number", name, exact(x)))
    if (!is.call(x) && !is.pairlist(x)) return(literal("string", "", "something else"))
    fun <- if (is.call(x)) x[[1L]]
    if (is.call(fun) && length(fun) == 3L) fun <- fun[[3L]]
    fun <- if (is.symbol(fun)) as.character(fun) else ""
    inner <- if (fun %in% names(of_calls)) of_calls[[fun]] else if (fun %in% passing_on) name else ""
    given <- names(x)
    whole <- x
    for (i in seq_along(x)) {
      # Nothing stands there: x[, 1], function(x)
      if (is.symbol(x[[i]]) && !nzchar(as.character(x[[i]]))) next
      part <- x[[i]]
      own <- if (!is.null(given) && nzchar(given[i])) given[i] else inner
      # The parts of an option that is a vector are the option's, whatever they are called
      if (of_option && fun == "c") own <- inner
      # Of x["name"] the second alone is a name
      if (fun %in% c("[", "[[", "$") && i < 3L) own <- ""
      if (fun %in% c("<-", "=", "<<-") && i == 3L) own <- assigned(whole[[2L]])
      of_repos <- own %in% c("repos", "repo", "CRAN") || (fun %in% c("<-", "=", "<<-") && i == 3L &&
        is.call(whole[[2L]]) && any(c("repos", "repo", "r") %in% all.vars(whole[[2L]])))
      part <- walk(part, own, if (kind == "repo" || of_repos) "repo" else "string")
      # A part that is NULL would be taken out by [[<-
      x[i] <- list(part)
    }
    if (!is.null(given)) {
      names(x) <- vapply(given, function(one) as.character(if (nzchar(one)) symbol(one) else one), "")
    }
    # A list cannot be the arguments of a function
    if (is.pairlist(whole)) as.pairlist(x) else x
  }
  # An option as the code that makes it, so that its type goes with it: 7L, "1e9", c(a = "x"), quote(f()).
  # What no code makes, or too much of it, is named by its type alone: <environment>
  expression_of <- function(value) {
    plain <- is.null(attributes(value)) || identical(names(attributes(value)), "names")
    if (plain && is.list(value)) return(as.call(c(list(as.name("list")), lapply(value, expression_of))))
    if (plain && typeof(value) %in% c("logical", "integer", "double", "character") && length(value)) {
      if (length(value) == 1L && is.null(names(value))) return(value)
      return(as.call(c(list(as.name("c")), as.list(value))))
    }
    if (is.symbol(value) || is.call(value) && is.null(attributes(value))) {
      return(as.call(list(as.name("quote"), value)))
    }
    control <- c("keepNA", "keepInteger", "niceNames", "showAttributes", "digits17")
    # An older R does not know all of these
    text <- tryCatch(deparse(value, 500L, control = control), error = function(e) deparse(value, 500L))
    parsed <- parse(text = text, keep.source = FALSE)
    if (length(parsed) != 1L) stop("no code makes it")
    parsed[[1L]]
  }
  code_of <- function(value, name) {
    nothing <- paste0("<", typeof(value), ">")
    # What no list of arguments is, and what would take long
    if (is.environment(value) || isTRUE(utils::object.size(value) > 50000)) return(nothing)
    made <- tryCatch(list(expression_of(value)), error = function(e) NULL)
    if (is.null(made)) return(nothing)
    if (is.atomic(value) && !length(value) && is.null(attributes(value))) return(deparse(value))
    of_option <<- TRUE
    on.exit(of_option <<- FALSE)
    # No option is called as the kinds of arguments that are looked at by themselves
    found <- walk(made[[1L]], if (startsWith(name, ".")) "" else name, "string")
    text <- paste(deparse(found, width.cutoff = 500L), collapse = "\n")
    if (nchar(text, "bytes") > 20000L) nothing else text
  }
  attempt("options", {
    repos <- unlist(getOption("repos"))
    say("repo", names(repos), repos)
    others <- options()
    for (name in setdiff(names(others), "repos")) {
      attempt("options", say("option", name, code_of(others[[name]], name)))
    }
  })
  attempt("Rprofile.site", {
    profile <- Sys.getenv("R_PROFILE")
    if (!nzchar(profile)) profile <- file.path(R.home("etc"), "Rprofile.site")
    if (file.access(profile, 4L) == 0L && isTRUE(file.size(profile) < 200000)) {
      parsed <- tryCatch(parse(profile, keep.source = FALSE, encoding = "bytes"), error = function(e) NULL)
      say("code_file", profile)
      if (is.null(parsed)) say("code_failed", profile, "R cannot parse it")
      for (i in seq_along(parsed)) {
        text <- deparse(walk(parsed[[i]], "", "string"), width.cutoff = 500L)
        say("code", profile, i, paste(text, collapse = "\n"))
      }
      say("code_file", "")
    }
  })
  # Of one that did not come from a repository: what install_github() and the like wrote down
  remote_of <- function(field) {
    type <- field("RemoteType")
    if (!nzchar(type) || type %in% c("standard", "cran")) return("")
    place <- if (nzchar(field("RemoteRepo"))) {
      paste0(field("RemoteUsername"), "/", field("RemoteRepo"))
    } else {
      field("RemoteUrl")
    }
    paste0(type, ":", place, if (nzchar(field("RemoteSha"))) paste0("@", field("RemoteSha")))
  }
  one_package <- function(name, library_path) {
    # As installed.packages() does: what has no DESCRIPTION with a Built field is not installed
    file <- file.path(library_path, name, "Meta", "package.rds")
    if (!file.exists(file)) return(NULL)
    meta <- tryCatch(suppressWarnings(readRDS(file)), error = function(e) NULL)
    described <- if (is.list(meta)) meta$DESCRIPTION
    if (!is.character(described)) stop("its Meta/package.rds cannot be read")
    field <- function(key) {
      value <- described[key]
      if (is.na(value)) "" else value[[1L]]
    }
    needs <- unique(c(names(meta$Depends), names(meta$Imports), names(meta$LinkingTo)))
    built <- as.character(meta$Built$R)
    whole <- length(built) == 1L && grepl("^[0-9]+([.][0-9]+)+$", built) && nzchar(field("Version"))
    if (!whole) stop("its Meta/package.rds is damaged")
    c(name, field("Version"), library_path, built, field("Priority"), field("Repository"), remote_of(field),
      paste(needs, collapse = " "))
  }
  attempt("packages", {
    say("lib_path", .libPaths())
    # One that is damaged is named; the others are there
    known <- function(name, ...) tryCatch(one_package(name, ...), error = function(e) {
      say("failed", paste("package", name), conditionMessage(e))
      NULL
    })
    for (library_path in .libPaths()) {
      rows <- do.call(rbind, lapply(list.files(library_path), known, library_path))
      if (length(rows)) {
        do.call(say, c("package", lapply(seq_len(ncol(rows)), function(i) rows[, i])))
      }
    }
  })
  attempt("programs", {
    # As Sys.which() finds them, without starting a program for each
    folders <- strsplit(Sys.getenv("PATH"), ":", fixed = TRUE)[[1L]]
    which_of <- function(name) {
      places <- file.path(folders, name)
      places[file.access(places, 1L) == 0L][1L]
    }
    wanted <- c("pandoc", "quarto", "pdflatex", "xelatex", "java", "python3", "python", "gcc",
                         "make", "git", "chromium", "google-chrome")
    found <- Filter(Negate(is.na), vapply(wanted, which_of, ""))
    say("program", names(found), unname(found))
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
    # Without a font the first drawing of a process is empty, and boxes are not always drawn alike:
    # only a real font draws the same letters the same way each time
    first <- unique(lapply(1:3, function(i) draw("Ab")))
    second <- unique(lapply(1:3, function(i) draw("Xy")))
    real <- length(first) == 1L && length(second) == 1L && !identical(first, second)
    # A checksum without the tools package, which takes long to load
    bytes <- as.numeric(first[[1L]])
    sum_of <- sum(bytes * (seq_along(bytes) %% 8191 + 1)) %% 4294967291
    say("graphics", length(bytes) > 0L, real,
        if (real) paste(length(bytes), format(sum_of, scientific = FALSE), sep = "-") else "")
  }, error = function(e) say("graphics_error", conditionMessage(e)),
     warning = function(w) say("graphics_error", conditionMessage(w)))
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

  cat("\n")
  writeLines(lines)
  cat(probe_boundary, "\tend-of-facts\n", sep = "")
  flush(stdout())
  # After the end, what takes longest: an R that is stopped there has told all the rest
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
})
quit(save = "no", runLast = FALSE)
