// A run that fails in one of several ways; failing_ranks.sh checks how it ends.
// usage: failing_ranks WAY RANK: the rank that fails.
#include <attn/mpi.hpp>
#include <csignal>
#include <iostream>
#include <new>
#include <string>
#include <vector>

using attn::Index;
using attn::mpi::Together;
using attn::mpi::World;

namespace {

struct Foreign {};

/// An operation of all ranks with a message in its middle, which fails where `fails` says so.
template <class Fails>
void operate(const World& world, const std::string& what, const Fails& fails) {
  Together together(world, what);
  together.compute([&] { fails("first"); });
  std::vector<Index> all(static_cast<std::size_t>(world.size()), world.rank());
  const std::vector<Index> counts(all.size(), 1);
  attn::mpi::all_gather(world, std::span(all), counts).wait();
  together.compute([&] { fails("second"); });
  together.finish();
}

/// A rule that throws on one rank, while tasks of several threads ask it.
struct ThrowingRule {
  bool throws;
  bool allows(attn::Position at) const {
    if (throws && at.query == at.key) throw attn::OptionError("in a rule");
    return true;
  }
};

/// A rule whose parameter throws on one rank, in the backward pass.
struct ThrowingSlopes : attn::LearnedAlibi<float> {
  bool throws;
  ThrowingSlopes(const attn::Variable<float, 1>& slopes, bool it_throws)
      : LearnedAlibi(slopes), throws(it_throws) {}
  double parameter_slope(attn::Position at) const {
    if (throws && at.query == at.key) throw attn::OptionError("in a slope");
    return LearnedAlibi::parameter_slope(at);
  }
};

/// Attention, forward and backward, by windows of keys.
void attend(const World& world, const std::string& way, bool fails) {
  const attn::mpi::Sequence sequence(world, 900);
  const attn::mpi::SequenceParallel attention(sequence, {.ranks_of_heads = 1});
  const Index heads = way == "attention-heads" && fails ? 4 : 2;
  const Index rows = sequence.size() + (way == "attention-rows" && fails ? 1 : 0);
  attn::Tape<float> tape;
  const auto x = tape.variable(attn::Tensor<float, 4>({1, heads, rows, 8}));
  if (way == "attention-parameter") {
    const ThrowingSlopes rule(tape.variable(attn::Tensor<float, 1>({heads})), fails);
    const auto o = attention(x, x, x, rule);
    tape.backward(o, o.value());
    return;
  }
  ThrowingRule rule{way == "attention-rule" && fails};
  const auto o = attention(x, x, x, rule);
  tape.backward(o, o.value());
}

void fail(World& world, const std::string& way, Index rank) {
  const bool fails = world.rank() == rank;
  if (way == "before" && fails) throw attn::OptionError("before the operation");
  if (way == "foreign" && fails) throw Foreign{};
  if (way == "all-before") throw attn::Error("each by itself");
  if (way == "two-before" && (fails || world.rank() == 0)) throw attn::Error("one of two");
  if (way == "kill" && fails) std::raise(SIGKILL);
  if (way.starts_with("return") && fails) return;
  if (way == "return-split" || way == "color") world.split(way == "color" && fails ? -1 : 0);

  const std::string shape = way == "shape" && fails ? "(1, 3)" : "(1, 2)";
  operate(world, "Operation: shape " + shape, [&](const std::string& where) {
    if (way == "inside" && fails && where == "second") throw attn::OptionError("inside");
    if (way == "memory" && fails && where == "first") throw std::bad_alloc();
    if (way == "foreign-inside" && fails && where == "first") throw Foreign{};
    if (way == "two-inside" && (fails || world.rank() == 0) && where == "first")
      throw attn::ShapeError("inside");
  });
  if (way == "after" && fails) throw std::runtime_error("after the\noperation");
  if (way == "alone") {  // what all ranks of a smaller world throw
    World alone = world.self();
    operate(alone, "Alone: nothing", [&](const std::string&) {
      if (fails) throw attn::ShapeError("alone");
    });
  }
  if (way == "half") {
    const World half = world.split(world.rank() % 2);
    operate(half, "Half: nothing", [&](const std::string&) {
      if (fails) throw attn::ShapeError("in a half");
    });
  }
  if (way.starts_with("attention")) attend(world, way, fails);
  operate(world, "Operation: the last", [](const std::string&) {});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return attn::mpi::run(argc, argv, [&](World& world) {
    fail(world, argv[1], std::stol(argv[2]));
    if (world.rank() == 0) std::cout << "nothing failed\n";
  });
}
