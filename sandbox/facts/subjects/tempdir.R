  attempt("tempdir", {
    say("tempdir", tempdir())
    script <- tempfile("probe")
    writeLines(c("#!/bin/sh", "exit 0"), script)
    Sys.chmod(script, "0700")
    say("tempdir_exec", system(shQuote(script), ignore.stdout = TRUE, ignore.stderr = TRUE) == 0L)
    unlink(script)
  })
