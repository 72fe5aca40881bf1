  attempt("repos", {
    repos <- unlist(getOption("repos"))
    say("repo", names(repos), repos)
  })
