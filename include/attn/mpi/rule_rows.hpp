#pragma once

#include <algorithm>
#include <attn/attention/rule_gradients.hpp>
#include <attn/mpi/blocks.hpp>
#include <attn/mpi/messages.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// Positions of a rank that follow each other: `row` is the first of its rows that has them.
struct RuleRows {
  Range positions;
  Index row;
};

/// The number of the part that a position belongs to.
inline Index rule_part(Index position) { return position / attn::detail::rule_part_rows; }

/// The rows whose terms a rank sums by itself: the parts of a sequence of which it has all rows,
/// and single rows of other parts, whose terms the receivers add.
inline std::vector<RuleRows> rule_rows(const Blocks& blocks, Range window, Index length) {
  constexpr Index size = attn::detail::rule_part_rows;
  std::vector<RuleRows> all;
  blocks.for_each_in(window, [&](Index row, Range positions) {
    for (Index i = positions.begin; i < positions.end;) {
      const Index part_end = std::min((rule_part(i) + 1) * size, length);
      const bool is_whole = i % size == 0 && part_end <= positions.end;
      const Index end = is_whole ? part_end : i + 1;
      all.push_back({{i, end}, row + i - positions.begin});
      i = end;
    }
  });
  return all;
}

/// The terms that a rank has found in some rows.
template <class T>
struct RowsWithTerms {
  Range positions;
  std::span<const attn::detail::RuleTerm<T>> terms;
};

/// Adds terms to the gradients, part by part in the order of the rows, as one process does.
template <class T>
void add_in_order(const attn::detail::RuleParameters<T>& parameters,
                  std::vector<RowsWithTerms<T>> rows) {
  std::sort(rows.begin(), rows.end(), [](const RowsWithTerms<T>& a, const RowsWithTerms<T>& b) {
    return a.positions.begin < b.positions.begin;
  });
  const auto part_of = [&](std::size_t n) { return rule_part(rows[n].positions.begin); };
  attn::detail::RuleTerms<T> part;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const bool continues = n + 1 < rows.size() && part_of(n + 1) == part_of(n);
    if (!continues && part.empty()) {  // a rank has summed the whole part
      parameters.add(rows[n].terms);
      continue;
    }
    attn::detail::add_terms(part, rows[n].terms);
    if (continues) continue;
    parameters.add(part);
    part.clear();
  }
}

/// The rows in a window that each rank sums by itself, and how many terms they have.
class RuleRowsOfRanks {
 public:
  std::vector<Index> sizes;  ///< how many terms each of the rows has, rank by rank

  RuleRowsOfRanks() = default;
  RuleRowsOfRanks(const std::vector<Blocks>& blocks, Range window, Index length) {
    for (const Blocks& of_rank : blocks) {
      const std::vector<RuleRows> some = rule_rows(of_rank, window, length);
      rows_.insert(rows_.end(), some.begin(), some.end());
      counts_.push_back(std::ssize(some));
    }
    sizes.resize(rows_.size());
  }

  /// The number of RuleRows of each rank.
  const std::vector<Index>& counts() const { return counts_; }
  std::span<const RuleRows> of_rank(Index rank) const { return some_of(std::span(rows_), rank); }
  std::span<Index> sizes_of_rank(Index rank) { return some_of(std::span(sizes), rank); }
  /// How many terms each rank has.
  std::vector<Index> sizes_of_ranks() {
    std::vector<Index> sums;
    for (Index rank = 0; rank < std::ssize(counts_); ++rank)
      sums.push_back(sum_of(sizes_of_rank(rank)));
    return sums;
  }
  /// All rows with their terms, which lie one after the other.
  template <class T>
  std::vector<RowsWithTerms<T>> with_terms(const attn::detail::RuleTerms<T>& terms) const {
    std::vector<RowsWithTerms<T>> all;
    std::size_t begin = 0;
    for (std::size_t n = 0; n < rows_.size(); ++n) {
      const auto size = static_cast<std::size_t>(sizes[n]);
      all.push_back({rows_[n].positions, std::span(terms).subspan(begin, size)});
      begin += size;
    }
    return all;
  }

 private:
  template <class U>
  std::span<U> some_of(std::span<U> all, Index rank) const {
    const auto r = static_cast<std::size_t>(rank);
    const Index begin = sum_of(std::span(counts_).first(r));
    return all.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(counts_[r]));
  }

  std::vector<RuleRows> rows_;  // of all ranks
  std::vector<Index> counts_;
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
