# Written by sandbox. run-api.R FILE HOST PORT DOCS: serve the API in FILE
words <- commandArgs(trailingOnly = TRUE)
api <- plumber::plumb(words[[1]])
api$run(host = words[[2]], port = as.integer(words[[3]]), docs = identical(words[[4]], "docs"))
