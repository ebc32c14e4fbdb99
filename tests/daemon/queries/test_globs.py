import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from daemon.queries import globs

NAMES = [
    *("a.jpg", "b.JPG", "IMG_1_a.jpg", "img_1_a.jpg", "a[1].jpg", "a1.jpg", "a*b", "a?b", "acb", "a-b", "a^b", "a!b"),
    *("a]b", "a\\x0ab", "caf\\xe9.jpg", "日本.jpg", "100%", "a.b+c(d)$", "[", "", "x\U0001f363y", "a b#c&d~e"),
]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.jpg", {"a.jpg", "IMG_1_a.jpg", "img_1_a.jpg", "a[1].jpg", "a1.jpg", "caf\\xe9.jpg", "日本.jpg"}),
        ("IMG_*_?.jpg", {"IMG_1_a.jpg"}),
        ("[ab]*.*", {"a.jpg", "b.JPG", "a[1].jpg", "a1.jpg", "a.b+c(d)$"}),
        ("[!a-zA-Z]*", {"日本.jpg", "100%", "["}),
        ("[^a-zA-Z]*", {"日本.jpg", "100%", "["}),
        ("a[]^!]b", {"a]b", "a^b", "a!b"}),
        ("a[-c]b", {"a-b", "acb"}),
        ("a[c-]b", {"a-b", "acb"}),
        ("a[z-a]b", set()),
        ("a[!z-a]b", {"a*b", "a?b", "acb", "a-b", "a^b", "a!b", "a]b"}),
        ("a[*?]b", {"a*b", "a?b"}),
        ("*\\x??*", {"a\\x0ab", "caf\\xe9.jpg"}),
        (r"a\x2ab", {"a*b"}),
        (r"a[\x2a\x5d\x5e-]b", {"a*b", "a]b", "a^b", "a-b"}),
        (r"a[!\x2a\x5d\x5e-]b", {"a?b", "acb", "a!b"}),
        (r"a[\x0a\xe9\\]*", set()),
        (r"a[!-\x63]b", {"a*b", "a?b", "a^b", "a!b", "a]b"}),
        (r"[\xe6\x97\xa5]\xe6\x9c\xac*", {"日本.jpg"}),
        (r"a\x0a*", {"a\\x0ab"}),
        ("??.jpg", {"a1.jpg", "日本.jpg"}),
        ("x?y", {"x\U0001f363y"}),
        ("*%", {"100%"}),
        ("a.?+c(d)$", {"a.b+c(d)$"}),
        ("a ?#c&d~e", {"a b#c&d~e"}),
        ("[", {"["}),
        ("*[", {"["}),
        ("[]*", set()),
        ("a[*", {"a[1].jpg"}),
        ("**.jpg", {"a.jpg", "IMG_1_a.jpg", "img_1_a.jpg", "a[1].jpg", "a1.jpg", "caf\\xe9.jpg", "日本.jpg"}),
        ("*", {*NAMES}),
    ],
)
def test_each_database_matches_as_a_shell(address: sa.URL, glob: str, found: set[str]) -> None:
    engine = sa.create_engine(address)
    with engine.connect() as connection:
        conditions = {name: globs.matches(sa.literal(name), glob, engine.dialect.name) for name in NAMES}
        assert {name for name in NAMES if connection.execute(sa.select(conditions[name])).scalar()} == found
    engine.dispose()


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("food/*.jpg", "food/a.jpg", True),
        ("food/*.jpg", "food/trip/a.jpg", False),
        ("food/**.jpg", "food/trip/a.jpg", True),
        ("food/**/a.jpg", "food/a.jpg", True),
        ("food/**/a.jpg", "food/x/y/a.jpg", True),
        ("food/**/a.jpg", "food/xa.jpg", False),
        ("**/a.jpg", "food/trip/a.jpg", True),
        ("food/tr*", "food/trip/day/a.jpg", True),
        ("food/tr", "food/trip/a.jpg", False),
        ("food?a.jpg", "food/a.jpg", False),
        ("food[!x]a.jpg", "food/a.jpg", False),
        ("food[.-0]a.jpg", "food/a.jpg", False),
        ("f*d/[ab].jpg", "food/b.jpg", True),
    ],
)
def test_only_two_stars_match_a_slash_in_a_path(glob: str, path: str, matches: bool) -> None:
    assert globs.path_matcher(glob)(path) is matches
    if matches:  # the coarse pattern for the database has to match, too
        with closing(sqlite3.connect(":memory:")) as connection:
            rough = [globs.coarse(glob), globs.coarse(glob) + "/*"]
            found = [connection.execute("SELECT ? GLOB ?", (path, one)).fetchone()[0] for one in rough]
        assert any(found)
