"""Teach over HTTP: the questions, the answers, and nothing of the model's labels before the end of a set."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon.rows import execute, rows, select
from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture
from tests.daemon.web.test_middleware import csrf, own_headers

pytestmark = pytest.mark.slow

AUDITED = (1, 2, 3, 4)


@pytest.fixture
def photos(root: Path) -> Path:
    """A root with four photos of the audit sample, 1 to 4, and four others, half of them food."""
    sort(root, {f"dish-{number}.jpg": picture("food" if number % 2 else "non_food", number) for number in range(1, 9)})
    for number in range(1, 9):
        digit = "0" if number in AUDITED else "3"
        execute(root, f"UPDATE photos SET sha256 = '{digit}{number:063x}' WHERE id = {number}")
    return root


@pytest.fixture
def client(photos: Path) -> Iterator[httpx.Client]:
    with reviewing(photos) as address, httpx.Client(base_url=address) as client:
        client.headers.update(own_headers(address, csrf(client)))
        yield client


def asked(client: httpx.Client, query: str = "") -> list[int]:
    return [int(number) for number in re.findall(r'<li data-id="(\d+)"', client.get(f"/teach{query}").text)]


def answer(client: httpx.Client, photo_id: int, label: str, earlier: int | None = None) -> httpx.Response:
    return client.post("/teach/answer", json={"ids": [photo_id], "label": label, "earlier": earlier})


def sources(photos: Path) -> dict[int, tuple[str, str]]:
    return {row["photo_id"]: (row["label"], row["source"]) for row in select(photos, "SELECT * FROM reviews")}


def test_answers_are_labels_and_those_of_reserved_photos_are_for_the_audit(photos: Path, client: httpx.Client) -> None:
    assert sorted(asked(client)) == list(range(1, 9))
    assert answer(client, 2, "food").json()["done"] == [2]
    assert answer(client, 6, "food").json()["done"] == [6]
    assert sources(photos) == {2: ("food", "audit"), 6: ("food", "person")}
    assert {row["path"] for row in rows(photos) if row["id"] in (2, 6)} == {"food/dish-2.jpg", "food/dish-6.jpg"}
    assert sorted(asked(client)) == [1, 3, 4, 5, 7, 8]
    assert sorted(asked(client, "?skip=1,5")) == [3, 4, 7, 8]


def test_the_bytes_of_the_page_do_not_depend_on_the_models_labels_of_audited_photos(
    photos: Path, client: httpx.Client
) -> None:
    before = client.get("/teach").content
    execute(
        photos,
        "UPDATE photos SET predicted_label = CASE predicted_label WHEN 'food' THEN 'non_food' ELSE 'food' END,"
        " probability = 1 - probability, logit = -logit, path = 'elsewhere/' || path, name = 'x' || name"
        f" WHERE id IN {AUDITED}",
    )
    assert client.get("/teach").content == before
    for revealing in (b"dish", b"non_food/", b"food/", b"tag ", b"probability"):
        assert revealing not in before


def test_the_response_to_an_answer_does_not_depend_on_the_models_label(client: httpx.Client) -> None:
    agreeing, contradicting = answer(client, 1, "food"), answer(client, 2, "food")

    def without_ids(response: httpx.Response) -> str:
        return re.sub(r"\d+", "N", response.text)

    assert without_ids(agreeing) == without_ids(contradicting)
    assert agreeing.json()["labels"][0][0] == 1
    (pair,) = contradicting.json()["labels"]
    undone = client.post("/teach/undo", json={"ids": [2], "labels": [pair[1]]})
    assert undone.json()["done"] == [2]
    assert "food" not in undone.text
    assert sorted(asked(client)) == [2, 3, 4, 5, 6, 7, 8]


def test_the_result_shows_the_models_labels_of_the_answered_photos_alone(client: httpx.Client) -> None:
    answer(client, 1, "food")
    answer(client, 2, "food")
    result = client.get("/teach/result?ids=1,2,3").text
    assert re.findall(r'href="/photo/(\d+)"', result) == ["1", "2"]
    assert "model agrees" in result
    assert "model: not food" in result
    assert "2 photos of the random sample: the model was right on 1." in result


def test_the_page_says_how_accurate_the_live_model_is(photos: Path, client: httpx.Client) -> None:
    assert "no photo is audited; 125 give" in client.get("/teach").text
    for photo_id in AUDITED:
        answer(client, photo_id, "food")
    text = re.sub(r"<[^>]*>", "", client.get("/teach").text)
    assert "50.0 % right (15.0 to 85.0 %, 95 % interval) on 4 audited photos; 1,064 more for ± 3 %." in text
    execute(photos, "UPDATE models SET sha256 = 'another'")
    assert "it has seen none of the 4 audited photos" in client.get("/teach").text


def test_a_photo_that_cannot_be_labelled_has_a_message(photos: Path, client: httpx.Client) -> None:
    (photos / "non_food/dish-2.jpg").unlink()
    response = answer(client, 2, "food").json()
    assert (response["done"], response["problems"]) == ([], ["The photo is no longer there."])
    assert sources(photos) == {}


def test_without_a_photo_the_page_says_so(client: httpx.Client) -> None:
    assert (
        "There is no photo to ask about but those that you skipped." in client.get("/teach?skip=1,2,3,4,5,6,7,8").text
    )
    for photo_id in range(1, 9):
        answer(client, photo_id, "food")
    assert "There is no photo to ask about." in client.get("/teach").text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("answer", {"ids": [1], "label": "unsure", "earlier": None}),
        ("answer", {"ids": [1, 2], "label": "food", "earlier": None}),
        ("answer", {"ids": [1], "label": "food"}),
        ("answer", {"ids": [2**63], "label": "food", "earlier": None}),
        ("undo", {"ids": [1]}),
        ("undo", {"ids": [1], "labels": []}),
    ],
)
def test_a_request_that_is_not_valid_changes_nothing(
    photos: Path, client: httpx.Client, path: str, body: object
) -> None:
    assert client.post(f"/teach/{path}", json=body).status_code == 400
    assert sources(photos) == {}


@pytest.mark.parametrize("query", ["?skip=x", "?skip=-1", f"?skip={2**64}", f"?skip={','.join(['1'] * 1001)}"])
def test_an_address_that_is_not_valid_is_refused(client: httpx.Client, query: str) -> None:
    for path in ("/teach", "/teach/result"):
        assert client.get(path + query).status_code == 400


def test_a_change_needs_the_token_and_a_post(photos: Path, client: httpx.Client) -> None:
    for path in ("/teach/answer", "/teach/undo"):
        assert client.get(path).status_code == 405
    del client.headers["X-CSRF-Token"]
    assert answer(client, 1, "food").status_code == 403
    assert sources(photos) == {}
