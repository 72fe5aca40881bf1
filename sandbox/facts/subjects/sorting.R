  say("sort_probe", sort(c("b", "A", "a", "B")))
