// Drives a fuzz target without libFuzzer, the same way each time: every line of the files named on the command line,
// whole, cut short, and with one byte changed, under each choice of a first byte.

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t step = 23;
constexpr char changes[] = {'\0', '"', '\\', '}', '9', '\xed'};

std::size_t runs = 0;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  ++runs;
}

void run_variants(const std::string& line) {
  run(line);
  for (char choice = 0; choice < 8; ++choice) {
    const auto input = choice + line;
    run(input);
    for (std::size_t at = 1; at < input.size(); at += step) {
      run(input.substr(0, at));
      auto changed = input;
      changed[at] = changes[at % sizeof changes];
      run(changed);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i]);
    if (!in) {
      std::printf("cannot open %s\n", argv[i]);
      return 1;
    }
    for (std::string line; std::getline(in, line);) run_variants(line);
  }
  // A breach of what the target holds ends the process before this line.
  std::printf("%zu inputs\n%d passed, %d failed\n", runs, runs > 0, runs == 0);
  return runs == 0 ? 1 : 0;
}
