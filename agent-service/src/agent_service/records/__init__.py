"""What is stored of runs: the run, its steps, its events, its files."""
