"""What `uvicorn app.main:app` runs."""

from agent_service.main import app

__all__ = ["app"]
