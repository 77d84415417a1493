"""Which of GenEval's classes the built-in world draws with the icon of something else.

The icon font has none for these classes. To the model and its judge a glyph is a glyph, but whoever
looks at the images must be told.
"""

STAND_INS = {
    "stop sign": "an octagon with an exclamation mark",
    "parking meter": "a parking sign",
    "bear": "a panda",
    "zebra": "a rabbit",
    "giraffe": "a unicorn",
    "frisbee": "a compact disc",
    "baseball glove": "a boxing glove",
    "surfboard": "a person surfing",
    "banana": "a crescent moon",
    "sandwich": "a hamburger",
    "broccoli": "a tree",
    "donut": "a donut chart",
    "potted plant": "a tulip",
    "sink": "a faucet",
    "vase": "a chess queen",
}
