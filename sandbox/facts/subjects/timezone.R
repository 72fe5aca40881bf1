  attempt("timezone", say("timezone", Sys.timezone()))
