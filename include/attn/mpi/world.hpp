#pragma once

#include <attn/core/option.hpp>
#include <attn/mpi/environment.hpp>
#include <attn/mpi/failure.hpp>
#include <attn/parallel/executor.hpp>
#include <attn/simd/instruction_set.hpp>
#include <attn/version.hpp>
#include <limits>
#include <memory>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// The version of the library, how it is compiled, and the kernels in use: what must be the same
/// for results to be bitwise identical.
inline std::string build_description() {
#define ATTN_TEXT_(...) #__VA_ARGS__
#define ATTN_TEXT(...) ATTN_TEXT_(__VA_ARGS__)
  constexpr std::string_view version = ATTN_TEXT(ATTN_VERSION_MAJOR) "." ATTN_TEXT(
      ATTN_VERSION_MINOR) "." ATTN_TEXT(ATTN_VERSION_PATCH);
  constexpr std::string_view abi = ATTN_TEXT(ATTN_ABI);
#undef ATTN_TEXT
#undef ATTN_TEXT_
  return "attn " + std::string(version) + " (" + std::string(abi) + ") with kernels for " +
         std::string(to_string(instruction_set()));
}

}  // namespace detail

/// The ranks that compute together, and this rank among them: a communicator of its own, a
/// duplicate of `parent`. It initializes MPI if the program has not, and then finalizes it when the
/// last World ends. A program that passes its main function to `run` gets one.
///
/// Everything that takes a World is collective: all of its ranks call it, in the same order, from
/// one thread at a time. No state is shared between worlds.
/// Errors: Error if MPI fails, if it does not allow for the threads of the executor, or if the
/// ranks do not run the same kernels of the same version of the library.
class World {
 public:
  explicit World(MPI_Comm parent = MPI_COMM_WORLD)
      : environment_(std::make_shared<const detail::Environment>(nullptr, nullptr)),
        comm_(detail::Communicator::duplicate(parent)),
        rank_(comm_.rank()),
        size_(comm_.size()) {
    expect_threads();
    expect_one_build();
  }

  Index rank() const { return rank_; }
  Index size() const { return size_; }
  MPI_Comm comm() const { return comm_.get(); }

  /// This rank alone.
  World self() const { return {environment_, detail::Communicator::duplicate(MPI_COMM_SELF)}; }
  /// The ranks that say the same color, in the order of their ranks. Errors: OptionError if the
  /// color is negative or does not fit an int; Error if a rank calls something else.
  World split(Index color) const {
    const bool fits = color >= 0 && color <= std::numeric_limits<int>::max();
    expect_call("World::split" + (fits ? std::string() : " of color " + std::to_string(color)));
    expect_option(fits, "World::split", "color", color, "an integer from 0 to 2^31 - 1");
    MPI_Comm comm = MPI_COMM_NULL;
    detail::expect_success(
        MPI_Comm_split(comm_.get(), static_cast<int>(color), static_cast<int>(rank_), &comm),
        "MPI_Comm_split");
    return {environment_, detail::Communicator(comm)};
  }

  /// Whether any rank says true; the same on all ranks.
  bool any(bool here) const {
    int answer = here ? 1 : 0;
    detail::expect_success(MPI_Allreduce(MPI_IN_PLACE, &answer, 1, MPI_INT, MPI_MAX, comm_.get()),
                           "MPI_Allreduce");
    return answer != 0;
  }

 private:
  World(std::shared_ptr<const detail::Environment> environment, detail::Communicator comm)
      : environment_(std::move(environment)),
        comm_(std::move(comm)),
        rank_(comm_.rank()),
        size_(comm_.size()) {}

  /// A rank that computes on several threads calls MPI from one of them, which must be allowed.
  static void expect_threads() {
    if (num_threads() > 1 && detail::Environment::thread_level() < MPI_THREAD_FUNNELED)
      throw Error(
          "World: MPI must provide MPI_THREAD_FUNNELED, not MPI_THREAD_SINGLE, where the "
          "executor has more than one thread");
  }
  void expect_one_build() const {
    const auto builds = detail::texts_that_differ(comm_.get(), detail::build_description());
    if (builds.empty()) return;
    const std::size_t other = detail::first_that_differs(builds);
    detail::Failure failure;
    failure.sentence = "World: all ranks must run the same kernels, but " +
                       detail::rank_of(other, builds.size()) + " runs " + builds[other] +
                       ", rank 0 runs " + builds[0];
    failure.throw_by_all(size_);
  }

  /// Whether all ranks call the same, before a message of which some would wait for ever.
  void expect_call(const std::string& what) const {
    const auto calls = detail::texts_that_differ(comm_.get(), what);
    if (calls.empty()) return;
    const std::size_t other = detail::first_that_differs(calls);
    const auto call = [&](std::size_t rank) {
      return calls[rank].substr(0, calls[rank].find("; "));
    };
    detail::Failure failure;
    failure.sentence = detail::rank_of(other, calls.size()) + " calls " + call(other) +
                       ", rank 0 calls " + call(0);
    failure.throw_by_all(size_);
  }

  std::shared_ptr<const detail::Environment> environment_;  // ends after the communicator
  detail::Communicator comm_;
  Index rank_;
  Index size_;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
