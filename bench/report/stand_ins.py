"""Which of GenEval's classes the built-in world draws with the icon of something else.

The icon font has none for these classes. To the model and its judge a glyph is a glyph, but whoever
looks at the images must be told.
"""

STAND_INS = {
    "stop sign": "octagon with an exclamation mark",
    "parking meter": "parking sign",
    "bear": "panda",
    "zebra": "rabbit",
    "giraffe": "unicorn",
    "frisbee": "compact disc",
    "baseball glove": "boxing glove",
    "surfboard": "person surfing",
    "banana": "crescent moon",
    "sandwich": "hamburger",
    "broccoli": "tree",
    "donut": "donut chart",
    "potted plant": "tulip",
    "sink": "faucet",
    "vase": "chess queen",
}
