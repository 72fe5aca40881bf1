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
