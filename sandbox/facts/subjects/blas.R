  attempt("LAPACK", {
    say("la_library", La_library())
    say("la_version", La_version())
  })
