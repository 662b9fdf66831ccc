"""What `uvicorn app.main:app` runs."""

from chat_service.main import create_app

app = create_app()
