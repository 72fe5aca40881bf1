# R's facts about itself: the frame, and functions that several subjects need. Their own code is in
# facts/subjects/*.R, and goes where `#@` stands. Base R only, ASCII only, no single quotes (it travels inside a shell string).
#
# `R --no-echo` reads it from standard input, after these: probe_boundary, probe_loads (packages to load) and
# probe_owners (whether to ask who owns the libraries). Its output goes through take.awk on this machine,
# which holds back values not known to be harmless: here nothing is hidden.
# Prints one fact a line, fields separated by tabs, each line starting with the boundary. All is computed
# before the first line is printed, so that messages (stderr) do not land inside a fact.
# Writes only into tempdir(), which R itself removes.
local({
  # Everything printed before this line is from the start-up
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
    # A vector of length 0 means that there is nothing to print
    if (all(lengths(fields) > 0L)) {
      lines <<- c(lines, do.call(paste, c(list(probe_boundary, "fact", kind), fields, sep = "\t")))
    }
  }
  attempt <- function(what, expr) {
    tryCatch(expr, error = function(e) say("failed", what, conditionMessage(e)))
  }

  # R code as R reads it: without comments, and with each literal and name on a line of its own, so that unknown
  # ones can be held back and the rest of the code seen
  # Only when somebody asks: it may load namespaces
  delayedAssign("r_names", c(ls(baseenv(), all.names = TRUE), unlist(lapply(
    c("stats", "utils", "methods", "grDevices", "graphics"), getNamespaceExports))))
  literals <- 0L
  literal <- function(kind, name, value) {
    literals <<- literals + 1L
    say("code_literal", literals, kind, name, value)
    as.name(paste0("PROBE_LITERAL_", literals, "_"))
  }
  symbol <- function(text) {
    if (!nzchar(text) || text %in% r_names) as.name(text) else literal("symbol", "", text)
  }
  # The name that a value gets: x, x$y, x[["y"]]
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
  # A number that no option changes (OutDec, scipen), with all digits that it needs
  exact <- function(x) {
    if (!is.double(x)) return(format(x, digits = 15L, decimal.mark = ".", scientific = FALSE))
    short <- sprintf("%.15g", x)
    if (is.finite(x) && as.numeric(short) != x) sprintf("%.17g", x) else short
  }
  of_option <- FALSE
  walk <- function(x, name, kind) {
    if (is.symbol(x)) return(symbol(as.character(x)))
    if (is.null(x)) return(x)
    # A value inside a call may have attributes, or a length: then print nothing of it
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
      # An empty place: x[, 1], function(x)
      if (is.symbol(x[[i]]) && !nzchar(as.character(x[[i]]))) next
      part <- x[[i]]
      own <- if (!is.null(given) && nzchar(given[i])) given[i] else inner
      # The parts of a vector option count as the option, whatever their names are
      if (of_option && fun == "c") own <- inner
      # In x["name"] only the second part is a name
      if (fun %in% c("[", "[[", "$") && i < 3L) own <- ""
      if (fun %in% c("<-", "=", "<<-") && i == 3L) own <- assigned(whole[[2L]])
      of_repos <- own %in% c("repos", "repo", "CRAN") || (fun %in% c("<-", "=", "<<-") && i == 3L &&
        is.call(whole[[2L]]) && any(c("repos", "repo", "r") %in% all.vars(whole[[2L]])))
      part <- walk(part, own, if (kind == "repo" || of_repos) "repo" else "string")
      # Assigning NULL by [[<- would remove the part
      x[i] <- list(part)
    }
    if (!is.null(given)) {
      names(x) <- vapply(given, function(one) as.character(if (nzchar(one)) symbol(one) else one), "")
    }
    # A list cannot be the arguments of a function
    if (is.pairlist(whole)) as.pairlist(x) else x
  }

#@ SUBJECTS

  cat("\n")
  writeLines(lines)
  cat(probe_boundary, "\tend-of-facts\n", sep = "")
  flush(stdout())
  # After the end, the slowest part: if R is stopped there, it has printed all the rest
#@ LATE SUBJECTS
})
quit(save = "no", runLast = FALSE)
