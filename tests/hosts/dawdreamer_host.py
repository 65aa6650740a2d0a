"""The VST3 in dawdreamer: a pattern through a tempo map, each onset exact to one sample."""

import re
import struct
import sys

import dawdreamer
import numpy

RATE, BLOCK, PPQN = 48000, 480, 960
# Beats and BPM. Each tempo begins on a block's first sample, as the host tells tempo by the block.
TEMPOS = [(4, 120.0), (4, 150.0), (12, 100.0)]
KICK_STEPS = (0, 4, 8, 11, 12)
BARS = 5
SECONDS = 8.5
CLASS_ID = b"AntiphonGroove01"


def check(holds, law):
    if not holds:
        sys.exit(f"dawdreamer: does not hold: {law}")


def sample_at(beat):
    """Where a beat lies by the tempo map."""
    seconds = 0.0
    for beats, bpm in TEMPOS:
        passed = min(beat, beats)
        seconds += passed * 60.0 / bpm
        beat -= passed
    return round(seconds * RATE)


def load(path, name):
    engine = dawdreamer.RenderEngine(RATE, BLOCK)
    engine.set_bpm(numpy.concatenate([numpy.full(PPQN * n, bpm) for n, bpm in TEMPOS]), ppqn=PPQN)
    plugin = engine.make_plugin_processor(name, path)
    engine.load_graph([(plugin, [])])
    return engine, plugin


def render(engine):
    engine.render(SECONDS)
    return engine.get_audio().copy()


def onsets(audio):
    """Samples at which something sets in: by slope, as what a track lets go below 5 Hz lingers."""
    loud = numpy.flatnonzero(abs(numpy.diff(audio[0], prepend=0.0)) > 1e-4)
    gaps = numpy.diff(loud, prepend=-RATE)
    return loud[gaps > 400]


def component_state(path):
    """The plugin's own bytes in a state that JUCE saved: XML with JUCE's kind of base64."""
    xml = open(path, "rb").read()[8:].rstrip(b"\0").decode()
    size, body = re.search(r"<IComponent>(\d+)\.(.*?)</IComponent>", xml).groups()
    letters = ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
    bits = sum(letters.index(letter) << (6 * at) for at, letter in enumerate(body))
    return bits.to_bytes(len(body) * 6 // 8 + 1, "little")[: int(size)]


def write_preset(path, state):
    """A .vstpreset with one chunk: `load_state` opens an editor, which needs a screen."""
    header = 48
    chunks = b"List" + struct.pack("<i4sqq", 1, b"Comp", header, len(state))
    identity = CLASS_ID.hex().upper().encode()
    start = b"VST3" + struct.pack("<i32sq", 1, identity, header + len(state))
    open(path, "wb").write(start + state + chunks)


path = sys.argv[1]
engine, plugin = load(path, "first")
whole = render(engine)
check(abs(whole).max() > 0.1, "the pattern sounds")

index = {one["name"]: one["index"] for one in plugin.get_parameters_description()}
for track in range(2, 6):
    plugin.set_parameter(index[f"{track} Mute"], 1.0)
plugin.set_parameter(index["1 Decay"], 0.0)
kick = render(engine)
expected = [sample_at(bar * 4 + step / 4) for bar in range(BARS) for step in KICK_STEPS]
expected = [at for at in expected if at < SECONDS * RATE]
found = onsets(kick)
check(len(found) == len(expected), f"{len(expected)} onsets, not {len(found)}: {list(found)}")
late = found - numpy.array(expected)
check(abs(late - late[0]).max() <= 1 and abs(late[0]) <= 1, f"onsets are exact to a sample: {list(late)}")
check(numpy.array_equal(kick, render(engine)), "two renders are identical")

state = sys.argv[2]
plugin.save_state(state)
write_preset(state + ".vstpreset", component_state(state))
engine, plugin = load(path, "second")
plugin.load_vst3_preset(state + ".vstpreset")
check(numpy.array_equal(kick, render(engine)), "a restored state sounds the same")

engine, plugin = load(path, "third")
for track in range(1, 6):
    plugin.set_parameter(index[f"{track} Mute"], 1.0)
check(abs(render(engine)).max() == 0.0, "muted tracks are silent")

print(f"dawdreamer: {len(found)} onsets over {len(TEMPOS)} tempos, {abs(late).max()} samples off at most")
