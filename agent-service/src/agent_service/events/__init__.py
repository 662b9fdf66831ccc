"""Events of runs: stored before they are shown, followed from any id."""
