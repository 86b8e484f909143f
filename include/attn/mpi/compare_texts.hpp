#pragma once

#include <array>
#include <attn/mpi/call.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// The 64-bit hash FNV-1a.
constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

/// The texts of all ranks, by rank.
inline std::vector<std::string> gather_texts(MPI_Comm comm, const std::string& text) {
  int ranks = 1;
  expect_success(MPI_Comm_size(comm, &ranks), "MPI_Comm_size");
  const int length = static_cast<int>(text.size());
  std::vector<int> lengths(static_cast<std::size_t>(ranks));
  expect_success(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, comm),
                 "MPI_Allgather");
  std::vector<int> begins;
  int end = 0;
  for (const int size : lengths) {
    begins.push_back(end);
    end += size;
  }
  std::string all(static_cast<std::size_t>(end), ' ');
  expect_success(MPI_Allgatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(),
                                begins.data(), MPI_CHAR, comm),
                 "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < lengths.size(); ++r)
    texts.push_back(
        all.substr(static_cast<std::size_t>(begins[r]), static_cast<std::size_t>(lengths[r])));
  return texts;
}

/// The texts of all ranks, by rank, if they differ; nothing if all ranks say the same.
/// Cost: one small reduction if they are the same.
inline std::vector<std::string> texts_that_differ(MPI_Comm comm, const std::string& text) {
  const std::uint64_t hash = hash_of(text);
  std::array<std::uint64_t, 2> largest{hash, ~hash};
  expect_success(MPI_Allreduce(MPI_IN_PLACE, largest.data(), 2, MPI_UINT64_T, MPI_MAX, comm),
                 "MPI_Allreduce");
  if (largest[0] == ~largest[1]) return {};
  return gather_texts(comm, text);
}

/// The first rank whose text is not that of rank 0, which must exist.
inline std::size_t first_that_differs(const std::vector<std::string>& texts) {
  std::size_t rank = 1;
  while (texts[rank] == texts[0]) ++rank;
  return rank;
}

/// "rank 2 of 4"
inline std::string rank_of(std::size_t rank, std::size_t ranks) {
  return "rank " + std::to_string(rank) + " of " + std::to_string(ranks);
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
