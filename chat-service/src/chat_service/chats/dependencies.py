"""What the endpoints of chats take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from chat_service.references.service import References
from chat_service.settings import ChatSettings

# async: FastAPI would send a plain function to a thread on every request, where it waits for the busy loop to
# let go.


async def _settings(request: Request) -> ChatSettings:
    return cast("ChatSettings", request.app.state.settings)


async def _references(request: Request) -> References:
    return cast("References", request.app.state.references)


SettingsDep = Annotated[ChatSettings, Depends(_settings)]
ReferencesDep = Annotated[References, Depends(_references)]
