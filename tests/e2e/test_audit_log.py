"""The audit log of the installation, through port 8000."""

import secrets
from typing import Any

import pytest
from suite.people import Person
from suite.stack import set_prices
from suite.waiting import until

pytestmark = pytest.mark.e2e


def test_a_price_that_was_set_is_in_the_audit_log_once(admin: Person) -> None:
    model = f"model-{secrets.token_hex(4)}"
    set_prices(admin.http, {model: (1, 2)})

    def recorded() -> list[dict[str, Any]]:
        acts = admin.get("/api/v1/admin/audit", limit=100)["data"]
        return [act for act in acts if act["detail"].get("subject") == model]

    (act,) = until(recorded, within_s=30, what="the act in the audit log") or []
    (own,) = (entry for entry in admin.get("/api/v1/billing/audit")["data"] if entry["object_id"] == model)
    assert (act["service"], act["action"], act["actor_id"]) == ("billing-service", "price.set", admin.id)
    assert act["id"] == own["id"]
    assert act["detail"]["after"] == own["after"]


def test_the_audit_log_is_for_those_who_may_read_it(person: Person) -> None:
    assert person.http.get("/api/v1/admin/audit").status_code == 403
