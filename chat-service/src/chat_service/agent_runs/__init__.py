"""What the agent-service must still be told of runs: that one is to end, that one is to go."""
