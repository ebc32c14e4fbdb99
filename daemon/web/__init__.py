"""The review page: photos in a browser, and labels with one key."""
