"""People and the organisations and teams they belong to. The ground of all other features."""
