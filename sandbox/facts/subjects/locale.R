  attempt("locale", {
    for (category in c("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY",
                       "LC_MESSAGES", "LC_PAPER", "LC_MEASUREMENT")) {
      say("locale", category, Sys.getlocale(category))
    }
    info <- l10n_info()
    say("l10n", info[["MBCS"]], info[["UTF-8"]], info[["Latin-1"]],
        if (is.null(info$codeset)) "" else info$codeset)
  })
