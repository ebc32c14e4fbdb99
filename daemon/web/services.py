"""The objects that all requests share."""

from asyncio import Semaphore
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from starlette.requests import Request
from starlette.templating import Jinja2Templates

from daemon.learning.jobs import Jobs
from daemon.settings import Settings
from daemon.web.auth import Sessions
from daemon.web.changes import PhotoChanges
from daemon.web.gallery import Gallery
from daemon.web.stats import Statistics
from daemon.web.teacher import Teacher
from daemon.web.thumbnails import ThumbnailCache


@dataclass(frozen=True)
class Services:
    """The objects that handlers use.

    Attributes:
        root: The root folder.
        settings: Its settings.
        reading: Its database, for queries.
        writing: Its database, for changes.
        sessions: Sessions of people with access to the page.
        gallery: Photos for cards.
        statistics: Counts for the overview.
        thumbnails: JPEGs of photos.
        changes: Changes to photos.
        teacher: Photos to label.
        jobs: Commands that the page starts.
        templates: HTML templates.
        image_slots: Limits how many requests make an image at the same time.
    """

    root: Path
    settings: Settings
    reading: sa.Engine
    writing: sa.Engine
    sessions: Sessions
    gallery: Gallery
    statistics: Statistics
    thumbnails: ThumbnailCache
    changes: PhotoChanges
    teacher: Teacher
    jobs: Jobs
    templates: Jinja2Templates
    image_slots: Semaphore


def services(request: Request) -> Services:
    """The services of the application that got a request."""
    return cast(Services, request.app.state.services)
