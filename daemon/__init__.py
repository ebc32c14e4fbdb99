"""The daemon and its commands. A photo goes inbox → pipeline → destinations; actions lead back to the inbox.

    inbox/          event or scan → ready → claimed
    pipeline/       decoded → batched → classified → recorded and moved
    destinations/   the folders of sorted photos, moves that never overwrite, error sidecars, the recovery plan
    actions/        people's changes to sorted photos: undo, retry, correct, delete; and export
    learning/       labels by people → a candidate, judged, put live, taken back
    registry/       the learned models of a root, and which of them is live
    queries/        reads the database for people: filters, pages, counts, selections
    database/       the database itself: schema, migrations, recorder, lookup, event log
    monitoring/     the daemon's reports: metrics, health, status file, log
    service/        the process: start, recovery, main loop, reload, stop
    decoders/       decodes untrusted images in sandboxed processes
    fs/             the filesystem below it all: access by descriptor, renames, copies, names, mounts
    cli/            one file for each command
    doctor/         checks for `foodsort doctor`
    web/            the review page

Imports go down only: cli → web, service, doctor → actions, pipeline, learning → destinations, monitoring,
registry → inbox, queries → database → decoders, fs → settings, photo, retry, failpoints. import-linter checks that
(pyproject.toml).
"""

OWNER = "foodsort"
"""Name of the product that owns this package; `daemon.cli.import_guard` checks it."""
