# What the stand-in for RStudio Server attaches as tools:rstudio. Not RStudio's own.

.rs.standin.begin <- function(repository, problem) {
  cat("\002", "0\n", sep = "")
  on.exit(cat("\003", "0\n", sep = ""))
  if (nzchar(repository)) options(repos = c(CRAN = repository))
  if (nzchar(problem)) {
    cat("Warning message:\n", problem, "\n", sep = "")
    options(device = function(...) stop(problem, call. = FALSE))
  } else {
    options(device = function(...) grDevices::png(tempfile(fileext = ".png"), type = "cairo"))
  }
}

.rs.standin.run <- function(path, number) {
  cat("\002", number, "\n", sep = "")
  on.exit(cat("\003", number, "\n", sep = ""))
  for (one in parse(path, encoding = "UTF-8")) {
    value <- withVisible(eval(one, globalenv()))
    if (value$visible) print(value$value)
  }
  unlink(path)
  invisible()
}
