// The time of SequenceParallel on more ranks than there are processors, simulated by SimGrid's
// SMPI: the library's own communication, in simulated time, and the work of the kernel as so many
// floating-point operations. bench/simulate_ranks.py compiles it, runs it, and compares with the
// formula.
//
//   simulated_ranks POSITIONS HEADS RANKS_OF_HEADS HEAD_DIM
//
// Tensors have a head dimension of 1, so that many ranks fit one machine: the platform's bandwidth
// is smaller by the same factor, HEAD_DIM. Prints the seconds of a forward pass under a causal
// rule, the largest and the mean of all ranks.

#undef getpid  // of SMPI, which answers only while a rank runs

#include "simulated_steps.hpp"

#include <attn/mpi.hpp>
#include <cstdio>
#include <cstdlib>

using attn::Index, attn::Range;

namespace {

/// A kernel that computes nothing, but takes the time of 4·E floating-point operations for each
/// score that a causal rule allows.
struct InjectedWork {
  Index head_dim;

  template <class T>
  attn::KernelPlan plan(const attn::HeadSizes& sizes) const {
    attn::KernelPlan plan = attn::Tiled{}.plan<T>({head_dim, head_dim, sizes.keys});
    plan.workspace_size = 0;
    plan.backward_workspace_size = 0;
    return plan;
  }
  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R&, const attn::HeadOutputs<T>&, T*) const {
    work(task);
    simulated::finish_work();
  }
  template <class Task>
  Index state_size(const Task&) const {
    return 1;
  }
  template <class Task, class T = typename Task::Scalar>
  void begin_state(const Task&, T*) const {}
  template <class Task, class R, class T = typename Task::Scalar>
  void forward_state(const Task& task, const R&, T*, T*) const {
    work(task);
  }
  template <class Task, class T = typename Task::Scalar>
  void merge_states(const Task&, std::span<const T>, const attn::HeadOutputs<T>&, T*) const {
    simulated::finish_work();
  }
  template <class Task, class R, class Gradients, class T = typename Task::Scalar>
  void backward(const Task&, const R&, const attn::HeadResults<T>&, const Gradients&, T*) const {}

 private:
  template <class Task>
  void work(const Task& task) const {
    Index scores = 0;
    for (Index i = 0; i < task.Q.rows(); ++i)
      scores += std::clamp<Index>(task.row + i + 1 - task.keys.begin, 0, task.keys.size());
    simulated::operations += 4.0 * double(head_dim) * double(scores);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  attn::set_executor(attn::Serial{});
  const Index S = std::atol(argv[1]), H = std::atol(argv[2]), ranks_of_heads = std::atol(argv[3]);
  const InjectedWork kernel{std::atol(argv[4])};
  return attn::mpi::run(argc, argv, [&](attn::mpi::World& world) {
    const attn::mpi::Sequence sequence(world, S);
    const attn::mpi::SequenceParallel attend(sequence, {.ranks_of_heads = ranks_of_heads}, kernel);
    const attn::Tensor<float, 4> x({1, H, sequence.size(), 1});
    MPI_Barrier(world.comm());
    const double start = MPI_Wtime();
    const auto o = attend(x, x, x, attn::Causal{});
    double seconds[2] = {MPI_Wtime() - start, MPI_Wtime() - start};
    MPI_Allreduce(MPI_IN_PLACE, &seconds[0], 1, MPI_DOUBLE, MPI_MAX, world.comm());
    MPI_Allreduce(MPI_IN_PLACE, &seconds[1], 1, MPI_DOUBLE, MPI_SUM, world.comm());
    if (world.rank() == 0)
      std::printf("%.9g %.9g\n", seconds[0], seconds[1] / double(world.size()));
  });
}
