// A 9P server that lies: its answers are changed as the input says, {message, place, value} again and again.
// Errors are fine; the sanitizers and the time limit say what is not.
#include <cstddef>
#include <cstdint>

#include "../../services/nine_p/tests/host/world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace test;
  if (size < 4 || size > 256) return 0;
  FakeServer server("share");
  server.root->entries["file"] = server.make(0100644, std::string(5000, 'f'));
  std::size_t next = 0;
  unsigned wait = data[0];
  server.lie = [&](const FakeServer::Bytes&, FakeServer::Bytes& answer) {
    if (wait--) return;
    std::uint8_t place = data[(next + 1) % size], value = data[(next + 2) % size];
    if (place >= 0xf0)
      answer.resize(answer.size() * (place & 15u) / 15);
    else if (!answer.empty())
      answer[place % answer.size()] = value;
    next = (next + 3) % size;
    wait = data[next] % 32;
  };
  World w("share");
  use_everything(w);
  return 0;
}
