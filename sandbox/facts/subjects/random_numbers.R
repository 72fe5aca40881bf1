  attempt("random numbers", say("rng_kind", RNGkind()))
