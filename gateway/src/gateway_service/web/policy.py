"""The Content-Security-Policy of the web client, computed from the page that is served."""

import re
from base64 import b64encode
from hashlib import sha256

# The HTML standard hashes the text between the tags exactly as it stands.
_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(self), payment=(), usb=()"


def script_hashes(html: str) -> list[str]:
    """CSP sources for the inline scripts of a page, without repetition."""
    scripts = (match.group(1) for match in _INLINE_SCRIPT.finditer(html))
    return sorted({f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts if script})


def content_security_policy(html: str) -> str:
    """Own files only. Inline scripts run by hash; inline styles are needed by maths and transitions and run no code."""
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *script_hashes(html))),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def page_headers(html: str) -> dict[str, str]:
    """The security headers of an HTML page."""
    return {
        "Content-Security-Policy": content_security_policy(html),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS_POLICY,
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
