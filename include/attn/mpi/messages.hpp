#pragma once

#include <attn/mpi/point_to_point.hpp>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

namespace detail {

/// The sum of counts of elements.
inline Index sum_of(std::span<const Index> counts) {
  return std::accumulate(counts.begin(), counts.end(), Index{0});
}

/// Errors: ShapeError if the counts are not one for each rank, of `size` elements together.
inline void expect_counts(const World& world, const char* what, std::span<const Index> counts,
                          Index size) {
  if (std::ssize(counts) == world.size() && sum_of(counts) == size) return;
  throw ShapeError(std::string(what) + " must be " + std::to_string(world.size()) +
                   ", one for each rank, with the sum " + std::to_string(size) + ", but are " +
                   std::to_string(counts.size()) + " with the sum " +
                   std::to_string(sum_of(counts)));
}

/// A gathering of bytes: what each rank has, and where they are received.
struct BytesToGather {
  const void* mine;  // null if they lie in their place within `all`
  char* all;
  std::vector<Index> sizes;  // of every rank
};

/// As a single collective call, whose counts fit an int.
inline Messages gather_at_once(const World& world, const BytesToGather& bytes) {
  Messages messages{{MPI_REQUEST_NULL}};
  std::vector<int>& counts = messages.counts;  // of bytes, and then where each rank's begin
  for (const Index size : bytes.sizes) counts.push_back(static_cast<int>(size));
  int begin = 0;
  for (std::size_t rank = 0; rank < bytes.sizes.size(); ++rank) {
    counts.push_back(begin);
    begin += counts[rank];
  }
  expect_success(MPI_Iallgatherv(bytes.mine ? bytes.mine : MPI_IN_PLACE,
                                 counts[static_cast<std::size_t>(world.rank())], MPI_BYTE,
                                 bytes.all, counts.data(), counts.data() + bytes.sizes.size(),
                                 MPI_BYTE, world.comm(), messages.requests.data()),
                 "MPI_Iallgatherv");
  return messages;
}

/// As messages between every two ranks, each of at most `largest` bytes.
inline Messages gather_in_messages(const World& world, const BytesToGather& bytes, Index largest) {
  PointToPoint messages(world, largest);
  const auto here = static_cast<std::size_t>(world.rank());
  const Index mine_begin = sum_of(std::span(bytes.sizes).first(here));
  char* const place = bytes.all + mine_begin;
  if (bytes.mine) std::copy_n(static_cast<const char*>(bytes.mine), bytes.sizes[here], place);
  Index begin = 0;
  for (std::size_t rank = 0; rank < bytes.sizes.size(); ++rank) {
    if (rank != here) {
      messages.receive(bytes.all + begin, bytes.sizes[rank], static_cast<Index>(rank));
      messages.send(place, bytes.sizes[here], static_cast<Index>(rank));
    }
    begin += bytes.sizes[rank];
  }
  return std::move(messages).messages();
}

/// Checks the arguments of a gathering, and begins it.
template <Index largest, class T>
Gathering<T> begin_to_gather(const World& world, const void* mine, std::span<T> all,
                             std::span<const Index> counts) {
  static_assert(std::is_trivially_copyable_v<T>, "messages consist of plain values");
  expect_counts(world, "all_gather: counts", counts, std::ssize(all));
  BytesToGather bytes{mine, reinterpret_cast<char*>(all.data()), {}};
  for (const Index count : counts) bytes.sizes.push_back(count * static_cast<Index>(sizeof(T)));
  if (std::ssize(std::as_bytes(all)) > largest)
    return {all, gather_in_messages(world, bytes, largest)};
  return {all, gather_at_once(world, bytes)};
}

}  // namespace detail

/// Begins to send `mine` to all ranks and to receive `all`: the values of every rank in the order
/// of the ranks, of which rank r has counts[r]. Only bytes are moved; MPI computes nothing.
/// `largest` is the most bytes of a message; it is smaller in tests.
/// Errors: ShapeError if the sizes of the ranges are not those that the counts say.
template <Index largest = largest_message, class T>
Gathering<T> all_gather(const World& world, std::type_identity_t<std::span<const T>> mine,
                        std::span<T> all, std::type_identity_t<std::span<const Index>> counts) {
  const auto here = static_cast<std::size_t>(world.rank());
  if (here < counts.size() && counts[here] != std::ssize(mine))
    throw ShapeError("all_gather: this rank must have " + std::to_string(counts[here]) +
                     " elements, as the counts say, not " + std::to_string(mine.size()));
  // A null pointer would mean that the values lie in their place.
  const void* const from = mine.empty() ? static_cast<const void*>(&world) : mine.data();
  return detail::begin_to_gather<largest>(world, from, all, counts);
}
/// The same where the values of every rank lie in their place within its `all` already.
template <Index largest = largest_message, class T>
Gathering<T> all_gather(const World& world, std::span<T> all,
                        std::type_identity_t<std::span<const Index>> counts) {
  return detail::begin_to_gather<largest>(world, nullptr, all, counts);
}

/// Begins to send send_counts[r] elements of `send` to each rank r, and to receive
/// receive_counts[r] elements from it, both in the order of the ranks.
/// Errors: ShapeError if the sizes of the ranges are not those that the counts say.
template <Index largest = largest_message, class T>
Gathering<T> all_to_all(const World& world, std::type_identity_t<std::span<const T>> send,
                        std::type_identity_t<std::span<const Index>> send_counts,
                        std::span<T> receive,
                        std::type_identity_t<std::span<const Index>> receive_counts) {
  static_assert(std::is_trivially_copyable_v<T>, "messages consist of plain values");
  detail::expect_counts(world, "all_to_all: send_counts", send_counts, std::ssize(send));
  detail::expect_counts(world, "all_to_all: receive_counts", receive_counts, std::ssize(receive));
  constexpr auto element = static_cast<Index>(sizeof(T));
  const auto here = static_cast<std::size_t>(world.rank());
  if (send_counts[here] != receive_counts[here])
    throw ShapeError("all_to_all: this rank must receive from itself the " +
                     std::to_string(send_counts[here]) + " elements that it sends, not " +
                     std::to_string(receive_counts[here]));
  detail::PointToPoint messages(world, largest);
  const T* from = send.data();
  T* to = receive.data();
  for (std::size_t rank = 0; rank < send_counts.size(); ++rank) {
    if (rank == here) {
      std::copy_n(from, send_counts[rank], to);
    } else {
      messages.receive(to, receive_counts[rank] * element, static_cast<Index>(rank));
      messages.send(from, send_counts[rank] * element, static_cast<Index>(rank));
    }
    from += send_counts[rank];
    to += receive_counts[rank];
  }
  return {receive, std::move(messages).messages()};
}

/// Copies the values of rank `root` to all ranks, which have as many.
template <Index largest = largest_message, class T>
void broadcast(const World& world, std::span<T> values, Index root) {
  static_assert(std::is_trivially_copyable_v<T>, "messages consist of plain values");
  char* const data = reinterpret_cast<char*>(values.data());
  detail::for_each_message(
      std::ssize(values) * static_cast<Index>(sizeof(T)), largest, [&](Index begin, int size) {
        detail::expect_success(
            MPI_Bcast(data + begin, size, MPI_BYTE, static_cast<int>(root), world.comm()),
            "MPI_Bcast");
      });
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
