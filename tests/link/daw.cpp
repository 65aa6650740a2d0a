// What a Link-aware DAW is to the LAN: tempo, phase and transport, seen and set.
//
// Built on Ableton Link as Debian ships it (ableton-link-dev; GPL-2.0-or-later, as this file is).
// Every 20 ms of the raw monotonic clock it writes a line
//     t_us phase tempo playing peers
// with the phase in a bar of four at exactly t_us, a multiple of 20 ms, so that two such programs
// on one machine can be compared moment by moment. On standard input it takes `tempo BPM`, `play`,
// `stop` and `quit`.
#include <ableton/Link.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace {

constexpr double kQuantum = 4.0;
constexpr std::chrono::microseconds kGrid{20000};

void obey(ableton::Link& link, const std::string& line)
{
  std::istringstream words(line);
  std::string word;
  words >> word;
  auto state = link.captureAppSessionState();
  const auto now = link.clock().micros();
  double bpm = 0.0;
  if (word == "tempo" && words >> bpm)
    state.setTempo(bpm, now);
  else if (word == "play")
    state.setIsPlaying(true, now);
  else if (word == "stop")
    state.setIsPlaying(false, now);
  else
    return;
  link.commitAppSessionState(state);
}

} // namespace

int main(int argc, char** argv)
{
  ableton::Link link(argc > 1 ? std::stod(argv[1]) : 100.0);
  link.enableStartStopSync(true);
  link.enable(true);

  std::atomic<bool> ending{false};
  std::mutex mutex;
  std::thread reader([&] {
    for (std::string line; !ending && std::getline(std::cin, line);) {
      if (line == "quit")
        break;
      std::lock_guard<std::mutex> lock(mutex);
      obey(link, line);
    }
    ending = true;
  });

  auto next = link.clock().micros() / kGrid * kGrid + kGrid;
  while (!ending) {
    const auto now = link.clock().micros();
    if (now < next)
      std::this_thread::sleep_for(next - now);
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto state = link.captureAppSessionState();
      std::printf("%lld %.9f %.6f %d %zu\n", static_cast<long long>(next.count()),
        state.phaseAtTime(next, kQuantum), state.tempo(), state.isPlaying() ? 1 : 0,
        link.numPeers());
    }
    std::fflush(stdout);
    next += kGrid;
  }
  reader.join();
  link.enable(false);
  return 0;
}
