  attempt("LAPACK", {
    say("la_library", La_library())
    say("la_version", La_version())
  })
  attempt("R's own BLAS", {
    own <- file.path(R.home("lib"), "libRblas.so")
    # Names of functions stand at the beginning of a library
    if (file.exists(own)) say("own_blas", if (length(grepRaw("openblas_", readBin(own, "raw", 4e6), fixed = TRUE)))
      "openblas" else "reference")
  })
