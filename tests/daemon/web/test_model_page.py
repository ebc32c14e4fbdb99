"""The model page over HTTP, with learned models that differ from the shipped one by the bias of their heads."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from daemon.learning.jobs import Jobs
from daemon.registry import learned
from daemon.settings import FolderSettings
from models.bundle import Bundle
from models.judgement import JudgedPhoto
from tests.daemon.conftest import until
from tests.daemon.learned_models import add_model
from tests.daemon.rows import execute, rows, select
from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture
from tests.daemon.web.test_middleware import csrf, own_headers

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(root: Path) -> Path:
    """A root with three photos of food."""
    sort(root, {f"{number}.jpg": picture(shade=number) for number in range(1, 4)})
    for number in range(1, 4):
        execute(root, f"UPDATE photos SET sha256 = '3{number:063x}' WHERE id = {number}")
    return root


@pytest.fixture
def client(photos: Path) -> Iterator[httpx.Client]:
    with reviewing(photos) as address, httpx.Client(base_url=address) as client:
        client.headers.update(own_headers(address, csrf(client)))
        yield client


def text(client: httpx.Client) -> str:
    """The page's text, with a space for each tag."""
    body = client.get("/model").text.partition("<main")[2].partition("<dialog")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def live(root: Path) -> list[str]:
    return [model.sha256 for model in learned.learned_models(root, "") if model.live]


def wait(root: Path) -> None:
    """Waits for the end of the newest job."""
    jobs = Jobs(root, FolderSettings())

    def is_done() -> bool:
        status = jobs.status()
        return status is not None and not status.running

    until(is_done)


def test_without_learned_models_the_shipped_one_is_live_and_nothing_can_be_learned(client: httpx.Client) -> None:
    page = text(client)
    assert f"Live model {Bundle.load().model_name} Live as the settings name it" in page
    assert "no photo is audited; 125 give ± 3 %" in page
    assert "There is nothing to learn from yet." in page
    assert "“Learn now” makes one from people's labels" in page
    for absent in ("Take back…", "Put live", "History"):
        assert absent not in page
    assert client.get("/model/job").json() == {"running": False, "text": ""}


def test_the_candidate_has_its_verdict_its_counts_and_its_changes(photos: Path, client: httpx.Client) -> None:
    changed = JudgedPhoto(sha256=f"3{1:063x}", label="non_food", set="held_out", live=0.9, candidate=0.1)
    model = add_model(photos, 0.5, "as_good", photos=(changed,))
    execute(
        photos,
        "INSERT INTO models (id, sha256, name, card, first_used_at)"
        f" VALUES (9, '{model.sha256}', 'c', '{{}}', '2026-11-30')",
    )
    execute(
        photos,
        "INSERT INTO judgements (photo_id, model_id, label, probability, logit, judged_at)"
        " SELECT id, 9, CASE id WHEN 1 THEN 'non_food' ELSE 'food' END, 0.5, 0, '2026-11-30' FROM photos",
    )
    page = text(client)
    assert "Candidate As good as the live model It is as_good." in page
    assert "3 photos judged silently; other labels for 1" in page
    assert "What would change: 1 labelled photo food → to not food now right" in page
    assert "Put live Sorted photos" in page


def test_a_model_is_put_live_and_taken_back(photos: Path, client: httpx.Client) -> None:
    model = add_model(photos, 0.5)
    put = client.post("/model/promote", json={"name": model.model_name, "force": False})
    assert (put.status_code, put.json()["message"]) == (200, f"{model.model_name} is live")
    assert live(photos) == [model.sha256]
    page = text(client)
    assert f"Live model {model.model_name} Live since" in page
    assert re.search(f"History .* {re.escape(model.model_name)} was put live by", page)
    assert "Put live" not in page
    assert client.post("/model/rollback", json={}).json()["message"] == f"{model.model_name} is taken back"
    assert live(photos) == []
    assert "Taken back" in text(client)
    again = client.post("/model/rollback", json={})
    assert (again.status_code, again.json()["message"]) == (
        500,
        "No learned model is live, so there is none to take back",
    )


def test_a_worse_model_is_put_live_only_by_force(photos: Path, client: httpx.Client) -> None:
    model = add_model(photos, 0.5, "worse")
    assert "Worse than the live model It is worse." in text(client)
    assert "Put live anyway…" in text(client)
    refused = client.post("/model/promote", json={"name": model.model_name, "force": False})
    assert refused.status_code == 500
    assert "is not put live: it is worse" in refused.json()["message"]
    assert live(photos) == []
    assert client.post("/model/promote", json={"name": model.model_name, "force": True}).status_code == 200
    assert live(photos) == [model.sha256]
    assert "against its verdict" in text(client)


def test_learning_without_labels_fails_with_the_reason(photos: Path, client: httpx.Client) -> None:
    assert client.post("/model/learn", json={}).status_code == 200
    wait(photos)
    assert "Learning from your labels failed: nobody has labelled a photo" in text(client)
    assert client.get("/model/job").json()["running"] is False


def test_a_running_job_is_shown_and_no_other_is_started(
    photos: Path, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = photos / "end"
    command = f"import os, time\nwhile not os.path.exists({str(end)!r}): time.sleep(0.02)"
    monkeypatch.setattr("daemon.learning.jobs._command", lambda *_: ("python3", "-c", command))
    Jobs(photos, FolderSettings()).start("learn")
    try:
        state = client.get("/model/job").json()
        assert state["running"] is True
        assert re.fullmatch(r"Learning from your labels, for [\d.]+ s so far\.", state["text"])
        assert "Learning from your labels, for" in text(client)
        refused = client.post("/model/learn", json={})
        assert (refused.status_code, refused.json()["message"]) == (
            503,
            "Another job of this root is running; wait until it is done",
        )
    finally:
        end.touch()
    wait(photos)


@pytest.fixture
def missorted(root: Path) -> Path:
    """A root with two photos of food; another model labelled the first one not food."""
    sort(root, {f"{number}.jpg": picture(shade=number) for number in (1, 2)})
    (root / "food/1.jpg").rename(root / "non_food/1.jpg")
    execute(
        root,
        "INSERT INTO models (id, sha256, name, card, first_used_at) VALUES (9, 'old', 'old', '{}', '2026-11-30')",
    )
    values = {"path": "'non_food/1.jpg'", "path_bytes": "CAST('non_food/1.jpg' AS BLOB)", "model_id": "9"}
    values |= {"predicted_label": "'non_food'", "probability": "0.2", "logit": "-1.4"}
    execute(root, f"UPDATE photos SET {', '.join(f'{name} = {value}' for name, value in values.items())} WHERE id = 1")
    return root


def places(root: Path) -> list[tuple[str, str]]:
    return [(row["path"], row["label"]) for row in rows(root)]


def test_sorted_photos_are_judged_again_shown_moved_and_moved_back(missorted: Path) -> None:
    before = places(missorted)
    assert before == [("non_food/1.jpg", "non_food"), ("food/2.jpg", "food")]
    with reviewing(missorted) as address, httpx.Client(base_url=address) as client:
        client.headers.update(own_headers(address, csrf(client)))
        assert "Re-sort photos…" in text(client)
        assert client.post("/model/preview", json={}).status_code == 200
        wait(missorted)
        page = text(client)
        assert "1 photo judged; 1 label would change." in page
        assert "These photos would get another label, and move. not food → to food Move them" in page
        assert places(missorted) == before
        assert client.post("/model/resort", json={}).status_code == 200
        wait(missorted)
        assert places(missorted) == [("food/1.jpg", "food"), ("food/2.jpg", "food")]
        page = text(client)
        assert "1 photo judged; 1 photo moved." in page
        assert "1 photo got the live model's judgement. Undo re-sorting…" in page
        (batch,) = select(missorted, "SELECT id FROM batches WHERE kind = 'reclassify'")
        assert client.post("/model/undo", json={"batch": batch["id"]}).status_code == 200
        wait(missorted)
        assert places(missorted) == before
        assert "Undo re-sorting…" not in text(client)


def test_when_no_label_would_change_the_page_says_so(photos: Path, client: httpx.Client) -> None:
    assert client.post("/model/preview", json={}).status_code == 200
    wait(photos)
    assert "No photo would get another label." in text(client)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("promote", {}),
        ("promote", {"name": 1, "force": False}),
        ("learn", {"x": 1}),
        ("rollback", None),
        ("undo", {"batch": "1"}),
    ],
)
def test_a_request_that_is_not_valid_changes_nothing(client: httpx.Client, path: str, body: object) -> None:
    assert client.post(f"/model/{path}", json=body).status_code == 400


def test_changes_need_the_token_and_a_post(photos: Path, client: httpx.Client) -> None:
    model = add_model(photos, 0.5)
    for path in ("learn", "preview", "resort", "undo", "promote", "rollback"):
        assert client.get(f"/model/{path}").status_code == 405
    del client.headers["X-CSRF-Token"]
    assert client.post("/model/promote", json={"name": model.model_name, "force": True}).status_code == 403
    assert client.post("/model/learn", json={}).status_code == 403
    assert live(photos) == []
    assert Jobs(photos, FolderSettings()).status() is None


def test_a_damaged_file_of_promotions_is_reported(photos: Path, client: httpx.Client) -> None:
    (photos / "models").mkdir(exist_ok=True)
    (photos / "models/promotions.json").write_bytes(b"{")
    response = client.get("/model")
    assert response.status_code == 500
    assert "promotions.json is damaged" in response.text


def test_labels_in_doubt_are_asked_again_with_the_earlier_label(photos: Path, client: httpx.Client) -> None:
    client.post("/label", json={"ids": [1], "label": "non_food"})
    model = add_model(photos, 0.5)
    path = model.folder / "judgement.json"
    path.write_text(path.read_text().replace('"asked_again":[]', f'"asked_again":["3{1:063x}"]'))
    assert "1 label did not count; Teach asks once more" in text(client)
    page = client.get("/teach").text
    first = re.search(r'<li data-id="1" data-earlier="(\d+)">', page)
    assert first
    assert "You said not food; similar photos have the other label. Once more?" in page
    answer = {"ids": [1], "label": "non_food", "earlier": int(first[1])}
    assert client.post("/teach/answer", json=answer).json()["done"] == [1]
    assert [row["label"] for row in select(photos, "SELECT label FROM reviews")] == ["non_food", "non_food"]
    assert 'data-id="1"' not in client.get("/teach").text
    assert rows(photos)[0]["path"] == "non_food/1.jpg"
