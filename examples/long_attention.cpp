// Attention of a sequence that is divided between the ranks of MPI, forward and, with --backward,
// backward: what each rank holds, receives, and takes. The bits are those of one process, which
// --check computes and compares.
//
//   mpirun -n 4 long_attention [--positions 16384] [--heads 8] [--key-heads 8] [--head-dim 64]
//                              [--ranks-of-heads 4] [--full] [--backward] [--check] [--rounds 2]
//
// Exit status: 0, 1 if something fails or the bits differ, 2 for options that cannot be read.

#include <CLI/CLI.hpp>
#include <attn/mpi.hpp>
#include <attn/mpi/traffic.hpp>
#include <chrono>
#include <cstring>
#include <iomanip>
#include <iostream>

using attn::Index, attn::Tensor;

namespace {

struct Options {
  Index positions = 16384, heads = 8, key_heads = 8, head_dim = 64, rounds = 1;
  std::optional<Index> ranks_of_heads;
  bool full = false, backward = false, check = false;
};

/// The rows of a tensor (1, H, S, E) of random numbers that are at some positions. Each head of
/// each position is drawn by itself, so that no rank makes the whole.
Tensor<float, 4> rows(const attn::mpi::Sequence& sequence, Index heads, Index E, Index tensor) {
  Tensor<float, 4> x({1, heads, sequence.size(), E});
  for (Index h = 0; h < heads; ++h)
    for (Index i = 0; i < sequence.size(); ++i) {
      const Index row = (tensor * heads + h) * sequence.length() + sequence.position(i);
      attn::Random random{7, std::uint64_t(row * E)};
      for (Index e = 0; e < E; ++e) x(0, h, i, e) = random.normal<float>();
    }
  return x;
}

/// What is computed, by one functor or the other.
struct Results {
  std::vector<Tensor<float, 4>> tensors;  // the output, and the gradients
  double forward_seconds = 0, backward_seconds = 0;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class Attend, attn::Rule R>
Results compute(const Attend& attend, const attn::mpi::Sequence& sequence, const Options& options,
                const R& rule) {
  const auto q = rows(sequence, options.heads, options.head_dim, 0),
             k = rows(sequence, options.key_heads, options.head_dim, 1),
             v = rows(sequence, options.key_heads, options.head_dim, 2);
  Results results;
  auto start = std::chrono::steady_clock::now();
  if (!options.backward) {
    results.tensors.push_back(attend(q, k, v, rule));
    results.forward_seconds = seconds_since(start);
    return results;
  }
  attn::Tape<float> tape;
  const auto vq = tape.variable(q), vk = tape.variable(k), vv = tape.variable(v);
  start = std::chrono::steady_clock::now();
  const auto o = attend(vq, vk, vv, rule);
  results.forward_seconds = seconds_since(start);
  const auto d_output = rows(sequence, options.heads, options.head_dim, 3);
  start = std::chrono::steady_clock::now();
  tape.backward(o, d_output);
  results.backward_seconds = seconds_since(start);
  results.tensors = {o.value(), vq.grad(), vk.grad(), vv.grad()};
  return results;
}

bool same_bits(const Tensor<float, 4>& a, const Tensor<float, 4>& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(float)) == 0;
}

/// A line for each rank, printed by rank 0.
void print(const attn::mpi::Sequence& sequence, const Options& options, const Results& results) {
  const attn::mpi::World& world = sequence.world();
  const attn::mpi::Traffic traffic = attn::mpi::traffic(
      sequence, {1, options.heads, options.key_heads, options.head_dim, options.head_dim},
      options.ranks_of_heads);
  const double megabyte = sizeof(float) / 1e6;
  const double held =
      double((2 * options.heads + 2 * options.key_heads) * options.head_dim * sequence.size()) *
      megabyte;
  const std::vector<double> mine{double(sequence.size()),
                                 held,
                                 double(traffic.forward) * megabyte,
                                 results.forward_seconds,
                                 double(traffic.backward) * megabyte,
                                 results.backward_seconds};
  std::vector<double> all(mine.size() * std::size_t(world.size()));
  const std::vector<Index> counts(std::size_t(world.size()), std::ssize(mine));
  attn::mpi::all_gather(world, mine, std::span(all), counts).wait();
  if (world.rank() > 0) return;
  std::cout << "rank  positions  q k v o, MB  forward: received, MB   seconds"
            << (options.backward ? "  backward: received, MB   seconds" : "") << '\n'
            << std::fixed;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    const double* const line = all.data() + rank * mine.size();
    std::cout << std::setw(4) << rank << std::setw(11) << Index(line[0]) << std::setprecision(1)
              << std::setw(13) << line[1] << std::setw(23) << line[2] << std::setprecision(3)
              << std::setw(10) << line[3];
    if (options.backward)
      std::cout << std::setprecision(1) << std::setw(24) << line[4] << std::setprecision(3)
                << std::setw(10) << line[5];
    std::cout << '\n';
  }
}

template <attn::Rule R>
void run(attn::mpi::World& world, const Options& options, const R& rule) {
  const attn::mpi::Sequence sequence(world, options.positions);
  const attn::mpi::SequenceParallel attend(sequence, {.ranks_of_heads = options.ranks_of_heads});
  Results results;
  for (Index round = 0; round < options.rounds; ++round)
    results = compute(attend, sequence, options, rule);
  print(sequence, options, results);
  if (!options.check) return;
  const attn::mpi::World alone = world.self();
  const attn::mpi::Sequence whole(alone, options.positions);
  const Results wanted = compute(attn::ScaledDotProductAttention{}, whole, options, rule);
  for (std::size_t n = 0; n < wanted.tensors.size(); ++n)
    if (!same_bits(results.tensors[n], sequence.local(wanted.tensors[n])))
      throw attn::Error("a result differs from that of one process");
  if (world.rank() == 0) std::cout << "bitwise the results of one process\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Attention of a sequence that is divided between the ranks of MPI."};
  app.add_option("--positions", options.positions, "S, the length of the sequence")
      ->check(CLI::Range(Index{0}, Index{1} << 30))
      ->capture_default_str();
  app.add_option("--heads", options.heads, "H, heads of queries")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--key-heads", options.key_heads, "G, heads of keys and values, a divisor of H")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--head-dim", options.head_dim, "E")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--ranks-of-heads", options.ranks_of_heads,
                 "how many ranks exchange heads for positions; by default as many as can");
  app.add_option("--rounds", options.rounds, "how often; the times are those of the last")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--full", options.full, "without a causal mask");
  app.add_flag("--backward", options.backward, "the gradients, too");
  app.add_flag("--check", options.check, "compares with one process, on each rank");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return attn::mpi::run(argc, argv, [&](attn::mpi::World& world) {
    if (options.full) run(world, options, attn::NoMask{});
    else run(world, options, attn::Causal{});
  });
}
