"""Which object store the settings ask for."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from shared.settings import SettingsError

from retrieval_service.objects.adapters.stores import LocalObjects, s3_objects
from retrieval_service.objects.port import ObjectStore

_FORMS = "file:///folder or s3://bucket/prefix"


def open_object_store(
    *,
    url: str | None,
    default_folder: Path,
    s3_region: str | None = None,
    s3_endpoint: str | None = None,
    s3_access_key_id: str | None = None,
    s3_secret_access_key: SecretStr | None = None,
) -> ObjectStore:
    """The store at `url`; a local folder when there is none.

    Raises:
        SettingsError: an address of another kind or with keys in it, or half of a pair of keys.
    """
    if url is None:
        return LocalObjects(default_folder)
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            f"OBJECT_STORE_URL must be {_FORMS} and nothing else; keys go into S3_ACCESS_KEY_ID and "
            "S3_SECRET_ACCESS_KEY"
        )
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return LocalObjects(Path(parts.path))
    if parts.scheme != "s3" or not parts.netloc:
        raise SettingsError(f"OBJECT_STORE_URL must be {_FORMS}")
    if (s3_access_key_id is None) != (s3_secret_access_key is None):
        raise SettingsError("set both S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or neither")
    if s3_endpoint is not None:
        _check_endpoint(s3_endpoint)
    return s3_objects(
        bucket=parts.netloc,
        prefix=parts.path.strip("/") or None,
        region=s3_region,
        endpoint=s3_endpoint,
        access_key_id=s3_access_key_id,
        secret_access_key=s3_secret_access_key.get_secret_value() if s3_secret_access_key else None,
    )


def _check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise SettingsError(
            "S3_ENDPOINT_URL must be http://host:port or https://host; keys go into S3_ACCESS_KEY_ID and "
            "S3_SECRET_ACCESS_KEY"
        )
