"""What `uvicorn app.main:app` runs."""

from retrieval_service.main import app

__all__ = ["app"]
