"""Runs every benchmark and prints its table."""

from bench import hot_path

if __name__ == "__main__":
    hot_path.main()
