"""The demo's way in: it serves what it was told to, as closewatch reads it, and its faults are real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from closewatch.certificates import COLLECTORS
from closewatch.certificates.settings import CertificatesTarget
from closewatch.core.deadline import Deadline
from closewatch.demo.front import HOST_NAME, Front
from closewatch.engines.folder import RunFolder


@pytest.fixture
def front() -> Iterator[Front]:
    with RunFolder() as run:
        front = Front(run)
        front.start()
        yield front
        front.close()


def read(front: Front) -> dict[str, dict[str, object]]:
    (settings,) = front.targets(lambda _, __: "")
    source = CertificatesTarget.model_validate(settings).source(None)
    (answer,) = source.ask(COLLECTORS, Deadline.after(10)).outcomes["expiry"].answers
    source.close()
    return {row["certificate"]: dict(row) for row in answer.rows()}


def test_it_is_well_at_first(front: Front) -> None:
    endpoint, partner = read(front)[HOST_NAME], read(front)[str(front.partner)]
    assert (endpoint["verified"], endpoint["problems"], endpoint["failure"]) == (True, (), None)
    assert endpoint["fingerprint"] == endpoint["stored_fingerprint"]
    assert endpoint["staple_until"] is not None
    assert partner["failure"] is None


def test_a_renewal_is_served_after_the_reload_and_not_before(front: Front) -> None:
    front.renew(front.issue(left=5))
    endpoint = read(front)[HOST_NAME]
    assert endpoint["fingerprint"] != endpoint["stored_fingerprint"]
    front.reload()
    endpoint = read(front)[HOST_NAME]
    assert endpoint["fingerprint"] == endpoint["stored_fingerprint"]


def test_a_copy_that_broke_off_is_whole_again_when_it_is_repeated(front: Front) -> None:
    front.cut_off()
    assert read(front)[str(front.partner)]["failure"] == "truncated"
    front.copy_again()
    assert read(front)[str(front.partner)]["failure"] is None
