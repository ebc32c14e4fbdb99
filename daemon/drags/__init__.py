"""Dragging is labelling: rows follow sorted photos that a person moves by hand, and a move between labels is a label."""
