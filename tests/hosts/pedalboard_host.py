"""The VST3 in pedalboard: notes sound, renders repeat, a saved state restores the same sound."""

import sys

import mido
import numpy
import pedalboard

RATE = 44100
NOTE = [
    mido.Message("note_on", note=36, channel=9, velocity=100, time=0.25),
    mido.Message("note_off", note=36, channel=9, time=0.5),
]


def render(plugin):
    return plugin(NOTE, duration=1.5, sample_rate=RATE, buffer_size=512, reset=True)


def check(holds, law):
    if not holds:
        sys.exit(f"pedalboard: does not hold: {law}")


path = sys.argv[1]
plugin = pedalboard.load_plugin(path)
check(plugin.is_instrument, "it is an instrument")

first = render(plugin)
loud = numpy.flatnonzero(abs(first).max(axis=0) > 1e-3)
check(abs(first).max() > 0.05, "a note sounds")
check(0.25 <= loud[0] / RATE < 0.256, f"it begins when it is played, not at {loud[0] / RATE} s")
check(numpy.array_equal(first, render(plugin)), "two renders are identical")

level = plugin.parameters["1_level"]
check(level.string_value == "+0.0 dB", f"the level reads '{level.string_value}'")
level.raw_value = 0.3
quiet = render(plugin)
check(abs(quiet).max() < 0.5 * abs(first).max(), "a level is heard")

other = pedalboard.load_plugin(path)
other.raw_state = plugin.raw_state
check(abs(other.parameters["1_level"].raw_value - 0.3) < 1e-6, "a restored knob stands where it was")
check(numpy.array_equal(quiet, render(other)), "a restored state sounds the same")

whole = bytes(plugin.raw_state)
for damaged in (whole[: len(whole) // 2], b"", b"garbage"):
    try:
        other.raw_state = damaged
    except Exception as refusal:  # pedalboard may refuse it before the plugin sees it
        print("pedalboard refused:", refusal)
    check(abs(render(other)).max() > 0.01, "after a damaged state it plays on")

print(f"pedalboard {pedalboard.__version__}: first sound {loud[0] / RATE * 1e3:.2f} ms, renders identical")
