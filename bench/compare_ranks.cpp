// Attention of two ranks with one thread each against one process with two threads, alternating:
// medians and quartiles of the ratio, above 1 where the ranks are faster.
//
//   mpirun --bind-to none -n 2 compare_ranks [positions] [heads] [key heads] [rounds] [rule]
//
// The rule is `causal`, or Causal and one with parameters: `slopes`, one of each head, or `bias`,
// one of each score. Their gradients belong to the backward pass. While one process computes, the
// other rank sleeps. --bind-to none: the process of two threads needs two cores.

#include <attn/mpi.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

using attn::Index, attn::Tensor;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Until all ranks are here; sleeps instead of spinning.
void meet(const attn::mpi::World& world) {
  MPI_Request request;
  MPI_Ibarrier(world.comm(), &request);
  for (int all = 0; MPI_Test(&request, &all, MPI_STATUS_IGNORE), !all;)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
}

struct Seconds {
  double forward, backward;
};

/// What the rules learn; empty if they are not used.
struct Parameters {
  attn::Parameter<float, 1> slopes{{0}};
  attn::Parameter<float, 4> bias{{0, 0, 0, 0}};
};

template <class Attend>
Seconds seconds(const Attend& attend, const std::vector<Tensor<float, 4>>& x, Parameters& learned) {
  attn::Tape<float> tape;
  const auto q = tape.variable(x[0]), k = tape.variable(x[1]), v = tape.variable(x[2]);
  const auto under = [&](const auto& rule) -> Seconds {
    const double start = now();
    const auto o = attend(q, k, v, rule);
    const double middle = now();
    tape.backward(o, x[3]);
    return {middle - start, now() - middle};
  };
  const attn::Causal causal;
  if (learned.slopes.shape()[0] > 0)
    return under(causal & attn::LearnedAlibi{tape.parameter(learned.slopes)});
  if (learned.bias.shape()[1] > 0)
    return under(causal & attn::LearnedBias{tape.parameter(learned.bias)});
  return under(causal);
}

void refuse(bool refused, const std::string& why) {
  if (refused) throw attn::Error("compare_ranks: " + why);
}

void print(const char* name, std::vector<double> ratios) {
  std::sort(ratios.begin(), ratios.end());
  const std::size_t n = ratios.size();
  std::printf("%s: %.3f (%.3f to %.3f)\n", name, ratios[n / 2], ratios[n / 4], ratios[3 * n / 4]);
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int n, Index otherwise) {
    return argc > n ? Index(std::atol(argv[n])) : otherwise;
  };
  const Index S = argument(1, 16384), H = argument(2, 8), G = argument(3, 8),
              rounds = argument(4, 9);
  const std::string rule = argc > 5 ? argv[5] : "causal";
  return attn::mpi::run(argc, argv, [&](attn::mpi::World& world) {
    refuse(std::min({S, H, G, rounds}) < 1,
           "positions, heads, key heads and rounds are numbers above 0");
    refuse(rule != "causal" && rule != "slopes" && rule != "bias",
           "the rule is causal, slopes or bias; it is " + rule);
    refuse(world.size() != 2, "needs 2 ranks; there are " + std::to_string(world.size()));
    refuse(attn::detail::available_cores() < 2,
           "each rank is bound to one core; with mpirun --bind-to none it may use two");
    attn::Random random{1};
    std::vector<Tensor<float, 4>> whole, part;
    for (const Index heads : {H, G, G, H}) {
      Tensor<float, 4> x({1, heads, S, 64});
      random.normal(x);
      whole.push_back(std::move(x));
    }
    Parameters learned;
    if (rule == "slopes") learned.slopes = attn::Parameter<float, 1>({H});
    if (rule == "bias") learned.bias = attn::Parameter<float, 4>({1, H, S, S});
    const attn::mpi::Sequence sequence(world, S);
    for (const auto& x : whole) part.push_back(sequence.local(x));
    std::vector<double> forward, backward;
    for (Index round = 0; round <= rounds; ++round) {
      attn::set_num_threads(1);
      meet(world);
      const Seconds here = seconds(attn::mpi::SequenceParallel(sequence), part, learned);
      double both[2] = {here.forward, here.backward};
      MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_DOUBLE, MPI_MAX, world.comm());
      meet(world);
      if (world.rank() == 0) {
        attn::set_num_threads(2);
        const Seconds alone = seconds(attn::ScaledDotProductAttention{}, whole, learned);
        if (round > 0) forward.push_back(alone.forward / both[0]);
        if (round > 0) backward.push_back(alone.backward / both[1]);
      }
      meet(world);
    }
    if (world.rank() > 0) return;
    std::printf("S = %ld, H = %ld, G = %ld, %s, %ld rounds; one process of 2 threads / 2 ranks\n",
                long(S), long(H), long(G), rule.c_str(), long(rounds));
    print("forward", forward);
    print("backward", backward);
  });
}
