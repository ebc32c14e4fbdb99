"""What the backbone learned its features on: ImageNet's thousand classes, and which of them people eat."""

CLASSES = 1000
"""Classes of ILSVRC 2012, numbered in the order of their WordNet ids, as every published network numbers them."""

FOOD = (*range(924, 958), *range(959, 968), 969, 987)
"""Numbers of the 45 classes that are food as it is photographed: dishes from guacamole (924) to burrito (965), vegetables
and fruit (936 to 957), red wine, espresso, eggnog, corn. Left out: hay (958), cup (968), and animals, plants and mushrooms
that are shown where they live. Read from the names of ILSVRC 2012's classes (Russakovsky et al. 2015)."""

OTHER = tuple(number for number in range(CLASSES) if number not in FOOD)
"""Numbers of the other classes."""
