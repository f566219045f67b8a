"""API6:2023 Unrestricted access to sensitive business flows: forgets and links are for few, and leave a trace."""

import json
import time

from tacit_service.access.links import DEFAULT_LINK_S, MAX_LINK_S, Links, Visitor
from tests.support.conditions import eventually
from tests.support.service import LINK_SECRET
from tests.tacit_service.trial.service import CANARY, Served

VISITOR = Visitor(f"{CANARY}-1", "en")


def audit(service: Served) -> list[dict[str, str]]:
    """Return the lines of the audit; before the first one, there is no file."""
    path = service.run.log.with_name("audit.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_forget_needs_manage_and_leaves_a_trace(service: Served) -> None:
    """The audit has the name of the key and no user id; other keys change nothing."""
    before = len(audit(service))
    source = service.run.log.with_name("events.jsonl").read_text().count('"forget"')
    for key in ("choose", "send", "export", ""):
        assert service.ask("DELETE", f"/v1/users/{CANARY}-gone", key=key).status in {401, 403}
    assert len(audit(service)) == before
    assert service.run.log.with_name("events.jsonl").read_text().count('"forget"') == source
    assert service.ask("DELETE", f"/v1/users/{CANARY}-gone", key="manage").status == 202
    eventually(lambda: len(audit(service)) > before, within_s=60, what="the line of the audit")
    added = audit(service)[before:]
    assert "manage" in json.dumps(added)
    assert CANARY not in json.dumps(added)


def test_each_action_on_a_user_is_in_the_audit(service: Served) -> None:
    """Pins, consent, forgets, explanations and exports."""
    user = f"/v1/users/{CANARY}-audited"
    before = len(audit(service))
    service.ask("PUT", f"{user}/pins/length", {"value": "concise"}, key="manage")
    service.ask("DELETE", f"{user}/pins/length", key="manage")
    service.ask("PUT", f"{user}/consent", {"granted": False}, key="manage")
    service.ask("DELETE", f"{user}/facets/length", key="manage")
    service.ask("GET", "/v1/users/user-000001/why", key="export")
    service.ask("GET", "/v1/users/user-000001/export", key="export")

    def are_audited() -> bool:
        return {"pin", "consent", "forget", "why", "export"} <= {each["action"] for each in audit(service)[before:]}

    eventually(are_audited, within_s=60, what="the lines of the audit")


def test_link_is_short_lived_and_shows_no_user(service: Served) -> None:
    """Five minutes, at most fifteen; the token is encrypted and opens the page of its user alone."""
    start_ms = time.time() * 1000
    for asked, expected in ((None, DEFAULT_LINK_S), (MAX_LINK_S, MAX_LINK_S)):
        body = {"user": f"{CANARY}-linked"} | ({} if asked is None else {"expires_in_s": asked})
        made = service.ask("POST", "/v1/links", body, key="manage").document
        assert abs(made["expires_at_ms"] - start_ms - expected * 1000) < 60_000
        assert CANARY not in made["url"]
        token = made["url"].partition("link=")[2]
        visitor = Links(LINK_SECRET).read_link(token)
        assert visitor is not None
        assert visitor.user_id == f"{CANARY}-linked"
        assert Links(LINK_SECRET).read_session(token) is None


def test_old_and_foreign_links_open_nothing() -> None:
    """A link is void at its end, with one changed character, and under another secret."""
    now_s = time.time()
    links = Links(LINK_SECRET, clock_s=lambda: now_s)
    token, end_s = links.link(VISITOR, 60)
    assert links.read_link(token) == VISITOR
    assert Links(LINK_SECRET, clock_s=lambda: float(end_s)).read_link(token) is None
    assert Links("another secret of links").read_link(token) is None
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert links.read_link(changed) in {None, VISITOR}
    assert links.read_link(token[:-3]) is None
