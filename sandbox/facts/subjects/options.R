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
    others <- options()
    for (name in setdiff(names(others), "repos")) {
      attempt("options", say("option", name, code_of(others[[name]], name)))
    }
  })
