-- The other studio's host: Ardour on its dummy backend, in real time, driven by lines of text.
--   ardour7-lua ardour.lua FOLDER PLUGIN RATE BLOCK BPM
-- Orders on standard input: roll | stop | set NAME VALUE | position | quit.
-- Events on standard output, one JSON object a line.
local folder, plugin, rate, block, bpm = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
io.stdout:setvbuf("line")

local function tell(event, fields) print('{"event":"' .. event .. '"' .. (fields or "") .. "}") end
local function pause(seconds) ARDOUR.LuaAPI.usleep(math.floor(seconds * 1000000)) end

local backend = AudioEngine:set_backend("None (Dummy)", "", "")
assert(not backend:isnil(), "no dummy backend")
backend:set_driver("Normal Speed")
backend:set_device_name("Silence")
assert(backend:set_sample_rate(rate) == 0, "the dummy backend does not take the rate")
assert(backend:set_buffer_size(block) == 0, "the dummy backend does not take the block size")
local session = assert(create_session(folder, "studio", rate))

local tempo_map = Temporal.TempoMap.fetch_writable()
tempo_map:set_tempo(Temporal.Tempo(bpm, bpm, 4), Temporal.timepos_t(0))
Temporal.TempoMap.update(tempo_map)

-- The instrument comes with its track: added to a plain track later, it aborts Ardour 7.3.
local info = ARDOUR.LuaAPI.new_plugin_info(plugin, ARDOUR.PluginType.VST3)
assert(not info:isnil(), "not scanned: " .. plugin)
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local stereo = ARDOUR.ChanCount(ARDOUR.DataType("audio"), 2)
local last = ARDOUR.PresentationInfo.max_order
local groove, tape
for track in session:new_midi_track(midi, stereo, false, info, nil, nil, 1, "groove", last,
  ARDOUR.TrackMode.Normal, true):iter() do groove = track end
for track in session:new_audio_track(2, 2, nil, 1, "tape", last, ARDOUR.TrackMode.Normal, true):iter() do tape = track end
for channel = 0, 1 do
  local input = tape:input():nth(channel)
  input:disconnect_all()
  groove:output():nth(channel):connect(input:name())
end
tape:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)

local processor = groove:nth_plugin(0)
local params = {}
local inner = processor:to_insert():plugin(0)
for index = 0, inner:parameter_count() - 1 do params[inner:parameter_label(index)] = index end

local ui = ARDOUR.TransportRequestSource.TRS_UI
local function halt()
  session:request_stop(false, false, ui)
  while session:transport_rolling() do pause(0.01) end
end
-- From a standstill at bar 1, so that the run has one clean beginning.
local function roll()
  halt()
  session:request_locate(0, false, ARDOUR.LocateTransportDisposition.MustStop, ui)
  while session:transport_sample() ~= 0 do pause(0.01) end
  pause(0.2)
  session:maybe_enable_record(false)
  session:request_roll(ui)
  while session:transport_sample() == 0 do pause(0.005) end
  tell("rolling", ',"sample":' .. session:transport_sample())
end

tell("ready", ',"rate":' .. session:nominal_sample_rate() .. ',"block":' .. backend:buffer_size()
  .. ',"plugin":"' .. processor:display_name() .. '"')
for line in io.lines() do
  local order, rest = line:match("^(%S+)%s*(.*)$")
  if order == "roll" then roll()
  elseif order == "stop" then halt() tell("stopped")
  elseif order == "position" then tell("position", ',"sample":' .. session:transport_sample())
  elseif order == "set" then
    local name, value = rest:match("^(.*)%s(%S+)$")
    local index = params[name]
    if index then
      ARDOUR.LuaAPI.set_processor_param(processor, index, tonumber(value))
      tell("moved")
    else tell("error", ',"message":"no such parameter"') end
  elseif order == "quit" then break
  end
end
halt()
pause(0.3)
session:save_state("")
close_session()
tell("ended")
