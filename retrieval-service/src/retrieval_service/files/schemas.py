"""What the routes of files take and give beside the contracts."""

from pydantic import BaseModel


class QuotaView(BaseModel):
    """What a person holds, with unfinished uploads, and may hold."""

    files: int
    files_max: int
    bytes: int
    bytes_max: int
    file_bytes_max: int
