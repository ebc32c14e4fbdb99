"""The thousand classes of ImageNet, which the backbone was trained on, and which of them are food."""

CLASSES = 1000
"""Number of classes in ILSVRC 2012, numbered in the order of their WordNet ids, as in every published network."""

FOOD = (*range(924, 958), *range(959, 968), 969, 987)
"""Numbers of the 45 food classes.

Dishes from guacamole (924) to burrito (965), vegetables and fruit (936 to 957), red wine, espresso, eggnog, corn. Hay
(958), cup (968), and animals, plants and mushrooms in nature are not food. Chosen by the names of the classes of ILSVRC
2012 (Russakovsky et al. 2015).
"""

OTHER = tuple(number for number in range(CLASSES) if number not in FOOD)
"""Numbers of the other classes."""
