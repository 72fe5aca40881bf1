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
