  attempt("programs", {
    # As Sys.which() finds them, without starting a program for each
    folders <- strsplit(Sys.getenv("PATH"), ":", fixed = TRUE)[[1L]]
    which_of <- function(name) {
      places <- file.path(folders, name)
      places[file.access(places, 1L) == 0L][1L]
    }
    wanted <- c("pandoc", "quarto", "pdflatex", "xelatex", "java", "python3", "python", "gcc",
                         "make", "git", "chromium", "google-chrome")
    found <- Filter(Negate(is.na), vapply(wanted, which_of, ""))
    say("program", names(found), unname(found))
  })
