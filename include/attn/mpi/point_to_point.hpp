#pragma once

#include <algorithm>
#include <attn/mpi/gathering.hpp>
#include <attn/mpi/world.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// The most bytes of one message; more are sent as several, because MPI counts with int.
inline constexpr Index largest_message = Index{1} << 30;

namespace detail {

/// Calls f(begin, size) for the messages of at most `largest` bytes that `bytes` are sent in.
template <class F>
void for_each_message(Index bytes, Index largest, F&& f) {
  for (Index begin = 0; begin < bytes; begin += largest)
    f(begin, static_cast<int>(std::min(largest, bytes - begin)));
}

/// Messages to and from single ranks that are under way at the same time.
class PointToPoint {
 public:
  PointToPoint(const World& world, Index largest) : world_(world), largest_(largest) {}

  void send(const void* from, Index bytes, Index rank) {
    const char* const data = static_cast<const char*>(from);
    for_each_message(bytes, largest_, [&](Index begin, int size) {
      expect_success(MPI_Isend(data + begin, size, MPI_BYTE, static_cast<int>(rank), 0,
                               world_.comm(), &requests_.emplace_back()),
                     "MPI_Isend");
    });
  }
  void receive(void* to, Index bytes, Index rank) {
    char* const data = static_cast<char*>(to);
    for_each_message(bytes, largest_, [&](Index begin, int size) {
      expect_success(MPI_Irecv(data + begin, size, MPI_BYTE, static_cast<int>(rank), 0,
                               world_.comm(), &requests_.emplace_back()),
                     "MPI_Irecv");
    });
  }
  Messages messages() && { return {std::move(requests_)}; }

 private:
  const World& world_;
  Index largest_;
  std::vector<MPI_Request> requests_;
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
