"""`make bench`: every measurement there is, one after the other."""

from bench.provision import main

if __name__ == "__main__":
    main()
