"""What `uvicorn app.main:app` runs."""

from agent_service.main import create_app

app = create_app()
