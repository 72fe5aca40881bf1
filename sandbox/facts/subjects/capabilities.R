  attempt("capabilities", {
    found <- capabilities()
    say("capability", names(found), found)
  })
