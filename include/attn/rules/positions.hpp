#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <attn/simd/index_vector.hpp>
#include <limits>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// The place of one score: query `query` of head `head` in sequence `batch` against key `key`. A
/// rule is asked with `query` counted in key positions (see Align and Offsets), so that
/// `at.query - at.key` is the distance between the two, whatever part of the queries is computed.
struct Position {
  Index batch = 0, head = 0, query = 0, key = 0;
};

/// The places of a vector of scores: evenly spaced queries, one in each lane, against one key.
/// `Queries` is the IndexVector of an instruction set.
template <class Queries>
struct PositionsOf {
  Index batch, head;
  Queries query;
  Index key;
};
template <class T>
using Positions = PositionsOf<IndexVector<T>>;

/// A rectangle of scores of one head, ends excluded. Queries are counted as in Position.
struct Tile {
  Index batch, head, query_begin, query_end, key_begin, key_end;
};

/// What a rule says of a tile: no score in it is allowed, some may be, or all are.
enum class Coverage { empty, partial, full };

/// Where query 0 stands when there are L queries and S keys: at key 0 (PyTorch's `is_causal`), or
/// so that the last query stands at the last key (decoding with a KV cache, FlashAttention ≥ 2.1).
/// With L = S both are the same.
enum class Align { upper_left, lower_right };

/// The extents of scores: B, H, L, S.
struct ScoreShape {
  Index batch, heads, queries, keys;
};

/// Where a call's queries and keys stand, if they are a part of all: one step of decoding, a chunk
/// of a prompt, a shard of a sequence. Query i has row `query + i · query_stride`, key j has column
/// `key + j` among all scores. Rules are asked about these rows and columns, and a table (Keep,
/// Bias) has the extents of all scores. With a `query_stride` of 0 every query stands at the same
/// row, as the beams of a search do; it is at most 2²⁰.
///
///   attend(q, k, v, Causal{}, Offsets{.query = 512})    queries 512, 513, … of a sequence
struct Offsets {
  Index query = 0, key = 0;
  Index query_stride = 1;
  /// L and S of all scores; by default the part is the last one.
  std::optional<Index> queries = std::nullopt, keys = std::nullopt;

  /// The extents of all scores, of which `part` are computed.
  /// Errors: ShapeError if the part does not lie within them; OptionError for a query_stride that
  /// is negative or too large.
  ScoreShape whole(const ScoreShape& part) const {
    if (query_stride < 0 || query_stride > detail::longest_stride)
      throw OptionError(
          "ScaledDotProductAttention: query_stride = " + std::to_string(query_stride) +
          " must be at least 0 and at most " + std::to_string(detail::longest_stride));
    const Index query_end = end_of(query, part.queries, query_stride);
    const Index key_end = end_of(key, part.keys, 1);
    expect(query, query_end, queries.value_or(query_end), "queries", "L");
    expect(key, key_end, keys.value_or(key_end), "keys", "S");
    return {part.batch, part.heads, queries.value_or(query_end), keys.value_or(key_end)};
  }

 private:
  static constexpr Index too_large = std::numeric_limits<Index>::max();
  /// The end of `count` rows or columns from `begin`, `too_large` if it does not fit an Index.
  static Index end_of(Index begin, Index count, Index stride) {
    if (count == 0) return begin;
    if (begin == too_large) return too_large;
    const Index rest = too_large - 1 - std::max<Index>(begin, 0);
    if (stride > 0 && count - 1 > rest / stride) return too_large;
    return begin + (count - 1) * stride + 1;
  }
  void expect(Index begin, Index end, Index extent, const char* what, const char* name) const {
    if (begin >= 0 && end <= extent && end < too_large) return;
    throw ShapeError(std::string("ScaledDotProductAttention: offsets place the ") + what + " at " +
                     std::to_string(begin) + " to " + std::to_string(end) +
                     ", which must lie within all " + name + " = " + std::to_string(extent) +
                     " of them");
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
