"""`python -m sandbox` is `sandbox`."""

from sandbox.cli.app import main

if __name__ == "__main__":
    main()
