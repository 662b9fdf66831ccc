"""What the endpoints of turns take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from chat_service.settings import ChatSettings
from chat_service.streams.service import ReplyStreams
from chat_service.turns.service import TurnService

# async: FastAPI would send a plain function to a thread on every request, where it waits for the busy loop to
# let go.


async def _settings(request: Request) -> ChatSettings:
    return cast("ChatSettings", request.app.state.settings)


async def _turns(request: Request) -> TurnService:
    return cast("TurnService", request.app.state.turns)


async def _streams(request: Request) -> ReplyStreams:
    return cast("ReplyStreams", request.app.state.streams)


SettingsDep = Annotated[ChatSettings, Depends(_settings)]
TurnsDep = Annotated[TurnService, Depends(_turns)]
StreamsDep = Annotated[ReplyStreams, Depends(_streams)]
