#include "tests/scenarios/random_story.hpp"

#include <algorithm>
#include <initializer_list>

namespace throughline::tests {
namespace {

class author {
 public:
  explicit author(std::uint64_t seed) : chance_(seed) {}

  std::string story(int acts) {
    std::string out = below(2) ? "set stale=20s ready=10s\nbegin\n" : "set stale=20s ready=10s\nbegin thread\n";
    for (int i = 0; i < acts; ++i) out += act();
    return out;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return chance_.next() % n; }
  std::string pick(std::initializer_list<const char*> of) { return *(of.begin() + below(of.size())); }
  std::string some(std::uint64_t n) { return std::to_string(below(n)); }

  std::string thread() { return "t" + some(4); }
  std::string attachment() { return "a" + std::to_string(below(4) ? newest_ : 1 + below(newest_)); }
  std::string session() { return below(4) ? "" : " session=ses-" + std::to_string(1 + below(3)); }
  std::string request() {
    if (below(4) == 0) return pick({"", " request=req-1", " request=nobody"});
    return " request=int-" + std::to_string(turns_ - below(std::min<std::uint64_t>(turns_, 4)));
  }
  std::string text() { return pick({"\"a\"", "\"😀b\"", "\"\"", "\"one\"", "\"some more of it\"", "\"é\""}); }

  std::string frame() {
    switch (below(16)) {
      case 0:
        return "> ready agent=" + pick({"zed-agent", "zed-connection", "claude"});
      case 1:
        return "> thread " + thread() + request();
      case 2:
        return "> user_thread " + thread() + pick({"", " title=T"});
      case 3:
        ++turns_;
        return "> user " + thread() + " " + some(5) + " " + text() + request();
      case 4:
      case 5:
        return "> done " + thread() + request() + pick({"", " tokens=3"});
      case 6:
        return "> load_error " + thread() + " " + pick({"\"timeout\"", "\"entity released\""}) + request();
      case 7:
        return "> error \"crashed\"" + request();
      case 8:
        return "> " + pick({"cancelled", "noop"}) + request();
      case 9:
        return "> title " + thread() + " \"T" + some(3) + "\"";
      case 10:
        return "> empty";
      default:
        return "> " + pick({"say ", "more ", "more "}) + thread() + " " + some(4) + " " + text() + request() +
               pick({"", "", " type=tool_call tool=ls status=Done"});
    }
  }

  std::string frames() {
    auto out = "frames " + attachment() + pick({"", "", "", " attempt=3"}) + "\n";
    // Numbers of an agent's own: mostly new ones, some that came before.
    for (auto n = 1 + below(4); n > 0; --n) {
      seq_ += below(3);
      out += frame() + " seq=" + std::to_string(seq_ - below(std::min<std::uint64_t>(seq_, 3))) + "\n";
    }
    return out;
  }

  std::string people() {
    const auto id = below(3) ? "" : " id=p" + some(6);
    switch (below(8)) {
      case 0:
        return "cancel alice" + session() + id;
      case 1:
        return "cancel alice turn=int-" + std::to_string(turns_ - below(std::min<std::uint64_t>(turns_, 3))) + id;
      case 2:
        return "rename alice N" + some(3) + session() + id;
      case 3:
        return below(12) ? "grant alice bob " + pick({"viewer", "editor"}) + id : "delete alice session=ses-2" + id;
      default:
        ++turns_;
        return "post alice \"P" + some(5) + "\" " + pick({"", "", "interrupt "}) + session() + id;
    }
  }

  std::string command() { return "cmd-" + std::to_string(++commands_ - below(std::min<std::uint64_t>(commands_, 5))); }

  std::string sockets() {
    switch (below(6)) {
      case 0:
        return "detach " + attachment() + "\n";
      case 1:
        return "seal " + attachment() + "\n";
      case 2:
        return "renew " + attachment() + "\n";
      case 3:
        return pick({"written ", "not_written "}) + attachment() + " " + command() + "\n";
      default:
        ++newest_;
        return "attach a" + std::to_string(newest_) + " bridge=b" + some(3) +
               pick({"", "", " instance=one", " instance=one", " instance=two"}) + "\n";
    }
  }

  std::string act() {
    switch (below(18)) {
      case 0:
        return sockets();
      case 1:
        return pick({"wait 1s", "wait 3s", "wait 11s", "wait 25s", "wait 61s", "wait 16s silent"}) + "\n";
      case 2:
        return (below(8) ? pick({"crash", "deaf"}) : "epoch " + std::to_string(++epoch_)) + "\n";
      case 3:
      case 4:
      case 5:
      case 6:
        return people() + "\n";
      case 7:
        return "again " + attachment() + " from=" + std::to_string(1 + below(20)) + pick({"", " attempt=3"}) + "\n";
      case 8:
      case 9:
        return "catch_up " + attachment() + "\n";
      default:
        return frames();
    }
  }

  id_source chance_;
  std::uint64_t turns_ = 1;
  std::uint64_t newest_ = 1;
  std::uint64_t commands_ = 0;
  std::uint64_t seq_ = 1;
  std::uint64_t epoch_ = 1;
};

}  // namespace

std::string random_story(std::uint64_t seed, int acts) {
  return author(seed).story(acts);
}

}  // namespace throughline::tests
