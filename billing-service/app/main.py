"""`uvicorn app.main:app` from this folder serves the billing-service."""

from billing_service.main import app  # noqa: F401 - the name uvicorn is given
