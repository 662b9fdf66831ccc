"""How usage is grouped."""

from typing import Literal

UTC = "UTC"
Grouping = Literal["day", "model", "user", "key"]
