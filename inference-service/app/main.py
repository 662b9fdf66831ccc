"""What `uvicorn app.main:app` runs."""

from inference_service.main import create_app

app = create_app()
