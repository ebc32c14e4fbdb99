"""Actions of people on sorted photos: undo, retry, correct, delete and export."""
