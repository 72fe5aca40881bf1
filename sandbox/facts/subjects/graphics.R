  tryCatch({
    # fontconfig may want to write its cache: not into somebody's home
    Sys.setenv(XDG_CACHE_HOME = tempdir())
    draw <- function(label) {
      file <- tempfile("probe", fileext = ".png")
      on.exit(unlink(file))
      grDevices::png(file, width = 120, height = 80, type = "cairo")
      opened <- grDevices::dev.cur()
      tryCatch({
        graphics::par(mar = c(0, 0, 0, 0))
        graphics::plot.new()
        graphics::text(0.5, 0.5, label, cex = 3)
      }, finally = grDevices::dev.off(opened))
      readBin(file, "raw", 1e6)
    }
    # Without a font the first drawing of a process is empty, and boxes are not always drawn alike:
    # only a real font draws the same letters the same way each time
    first <- unique(lapply(1:3, function(i) draw("Ab")))
    second <- unique(lapply(1:3, function(i) draw("Xy")))
    real <- length(first) == 1L && length(second) == 1L && !identical(first, second)
    # A checksum without the tools package, which takes long to load
    bytes <- as.numeric(first[[1L]])
    sum_of <- sum(bytes * (seq_along(bytes) %% 8191 + 1)) %% 4294967291
    say("graphics", length(bytes) > 0L, real,
        if (real) paste(length(bytes), format(sum_of, scientific = FALSE), sep = "-") else "")
  }, error = function(e) say("graphics_error", conditionMessage(e)),
     warning = function(w) say("graphics_error", conditionMessage(w)))
