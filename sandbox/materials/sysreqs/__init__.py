"""Which packages of a distribution an R package needs, from its words about them."""
