# R's own words for pieces of code: reads them from stdin, parses them, and runs none of them.
# A piece: the number of its lines, and the lines. The answer for each: "piece N" or "error LINE WORDS",
# then one line a word: its line, w (word), s (string) or m (mark), and its text with escapes.
input <- readLines(file("stdin", encoding = "UTF-8"), warn = FALSE, encoding = "UTF-8")
cat("R", as.character(getRversion()), "\n")
at <- 1L
say <- function(...) cat(..., sep = "")
while (at <= length(input)) {
  count <- as.integer(input[[at]])
  lines <- input[at + seq_len(count)]
  at <- at + count + 1L
  parsed <- tryCatch(
    parse(text = lines, keep.source = TRUE, encoding = "UTF-8", srcfile = srcfilecopy("code", lines)),
    error = function(e) e
  )
  if (inherits(parsed, "error")) {
    words <- strsplit(conditionMessage(parsed), "\n", fixed = TRUE)[[1L]][[1L]]
    where <- regmatches(words, regexec("^[^:]*:([0-9]+):[0-9]+: ?(.*)$", words))[[1L]]
    if (length(where) == 3L) say("error ", where[[2L]], " ", encodeString(where[[3L]]), "\n")
    else say("error 0 ", encodeString(words), "\n")
    next
  }
  data <- getParseData(parsed)
  if (is.null(data)) { say("piece 0\n"); next }
  data <- data[data$terminal & data$token != "COMMENT", c("line1", "token", "text")]
  kinds <- rep("m", nrow(data))
  kinds[grepl("^(SYMBOL|SLOT|[A-Z_]+$)", data$token) & grepl("^([[:alpha:].`]|[^[:ascii:]])", data$text)] <- "w"
  kinds[data$token == "STR_CONST"] <- "s"
  say("piece ", nrow(data), "\n")
  # `text` cannot hold a line end except in a string, which encodeString writes as \n
  if (nrow(data)) writeLines(paste(data$line1, kinds, encodeString(data$text)))
}
