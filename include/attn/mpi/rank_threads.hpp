#pragma once

#include <algorithm>
#include <attn/mpi/environment.hpp>
#include <attn/parallel/executor.hpp>
#include <attn/parallel/machine.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// This rank's share of the cores of its node, at least 1: the cores that it may use, divided by
/// the ranks of the node that may use the same ones.
inline Index cores_of_rank(MPI_Comm comm) {
  MPI_Comm of_node = MPI_COMM_NULL;
  expect_success(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &of_node),
                 "MPI_Comm_split_type");
  const Communicator node(of_node);
  const std::uint64_t mine = attn::detail::core_set_hash();
  std::vector<std::uint64_t> sets(static_cast<std::size_t>(node.size()));
  expect_success(MPI_Allgather(&mine, 1, MPI_UINT64_T, sets.data(), 1, MPI_UINT64_T, node.get()),
                 "MPI_Allgather");
  const auto ranks = static_cast<Index>(std::count(sets.begin(), sets.end(), mine));
  return std::max<Index>(1, attn::detail::available_cores() / ranks);
}

/// While this object lives, loops run on no more threads than this rank's share of the cores.
/// Otherwise the ranks of a node would all use all cores, and wait for one another.
class RankThreads {
 public:
  explicit RankThreads(MPI_Comm comm) {
    const Index cores = cores_of_rank(comm);
    if (num_threads() <= cores) return;
    before_ = attn::detail::current_executor();
    set_num_threads(cores);
  }
  RankThreads(const RankThreads&) = delete;
  RankThreads& operator=(const RankThreads&) = delete;
  ~RankThreads() {
    if (before_) attn::detail::exchange_executor(std::move(before_));
  }

 private:
  std::shared_ptr<process::Executor> before_;  // null if nothing was changed
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
