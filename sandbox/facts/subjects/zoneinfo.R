  attempt("zones", {
    say("tzdir", Sys.getenv("TZDIR"))
    say("zones", length(suppressWarnings(OlsonNames())) > 0L)
  })
