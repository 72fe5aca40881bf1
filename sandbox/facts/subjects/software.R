  attempt("external software", {
    found <- extSoftVersion()
    say("software", names(found), found)
  })
