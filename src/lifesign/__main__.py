"""`python -m lifesign` is `lifesign`."""

from lifesign.cli.main import run

if __name__ == "__main__":
    run()
