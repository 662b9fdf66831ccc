"""Wire models that two services share; additive only."""
