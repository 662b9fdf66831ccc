"""What can be refused about ids of other services' objects. Every error names the member of the body it is
about.
"""

from uuid import UUID

from shared.contracts.retrieval import DocumentMetadata
from shared.errors import Conflict, NotFound

ATTACHMENTS = "attachments"


def _problem(field: str, code: str, detail: str) -> list[dict[str, str]]:
    return [{"field": f"body.{field}", "code": code, "detail": detail}]


class ReferenceNotFound(NotFound):
    """What the id names is not there or not the caller's; the two look the same from outside."""

    def __init__(self, field: str, kind: str, object_id: UUID) -> None:
        code, detail = (
            f"{kind.replace(' ', '_')}_not_found",
            f"{field}: there is no {kind} {object_id} that you may use",
        )
        super().__init__(detail, code=code, errors=_problem(field, code, detail))


class DocumentNotReady(Conflict):
    """The file is still being read."""

    code = "document_not_ready"

    def __init__(self, document: DocumentMetadata) -> None:
        detail = (
            f"attachments: {document.filename} is still being read ({document.stage}); send the message "
            "again in a moment"
        )
        extra = {"file_id": str(document.document_id), "filename": document.filename, "stage": document.stage}
        super().__init__(detail, extra=extra, errors=_problem(ATTACHMENTS, self.code, detail))


class DocumentFailed(Conflict):
    """The file could not be read, so nothing can be looked up in it."""

    code = "document_failed"

    def __init__(self, document: DocumentMetadata) -> None:
        why = document.error.detail if document.error is not None else "its reading was cancelled"
        detail = f"attachments: {document.filename} could not be read: {why}. Remove it, or upload it again"
        extra = {"file_id": str(document.document_id), "filename": document.filename, "stage": document.stage}
        super().__init__(detail, extra=extra, errors=_problem(ATTACHMENTS, self.code, detail))
