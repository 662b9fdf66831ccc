"""Every error as an answer in the house's form."""

import logging
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.errors import AppError, Invalid, NotFound, render_for_path
from shared.outages import answer_outages

log = logging.getLogger(__name__)


def handle_errors(api: FastAPI) -> None:
    """Answer whatever `api` raises."""
    api.add_exception_handler(AppError, _on_app_error)
    api.add_exception_handler(RequestValidationError, _on_validation_error)
    api.add_exception_handler(HTTPException, _on_http_exception)
    api.add_exception_handler(Exception, _on_unexpected)
    answer_outages(api)


def _error_response(request: Request, error: AppError) -> Response:
    status, headers, body = render_for_path(
        error, path=request.url.path, request_id=request.scope.get("atrium.request_id", "")
    )
    response = Response(content=body, status_code=status)
    response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return response


async def _on_app_error(request: Request, error: Exception) -> Response:
    return _error_response(request, cast("AppError", error))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    problems = [
        {"field": ".".join(str(part) for part in item["loc"]), "code": item["type"], "detail": item["msg"]}
        for item in cast("RequestValidationError", error).errors()[:20]
    ]
    first = problems[0] if problems else {"field": "body", "detail": "is not valid"}
    return _error_response(request, Invalid(f"{first['field']}: {first['detail']}", errors=problems))


class _StatusError(AppError):
    """An error of the framework itself, with the framework's status."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail), code=f"http_{error.status_code}", headers=error.headers)
        self.status = error.status_code  # pyright: ignore[reportAttributeAccessIssue] - one instance, one status
        self.title = HTTPStatus(error.status_code).phrase  # pyright: ignore[reportAttributeAccessIssue] - as above


async def _on_http_exception(request: Request, error: Exception) -> Response:
    http_error = cast("HTTPException", error)
    if (body_error := request.scope.get("atrium.body_error")) is not None:
        return _error_response(request, body_error)
    if http_error.status_code == 404:
        return _error_response(request, NotFound("there is nothing at this address"))
    return _error_response(request, _StatusError(http_error))


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _error_response(
        request, AppError("something went wrong on our side; quote the request id to your operator")
    )
