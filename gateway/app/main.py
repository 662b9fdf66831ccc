"""What `uvicorn app.main:app` runs."""

from gateway_service.main import create_app

app = create_app()
