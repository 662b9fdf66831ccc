"""What `uvicorn app.main:app` runs."""

from retrieval_service.main import create_app

app = create_app()
