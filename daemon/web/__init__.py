"""The review page: photos for a person who looks at them, and labels with one key."""
