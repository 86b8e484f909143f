#pragma once

#include <attn/rules/rule.hpp>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Sequence b has `lengths[b]` keys; those after them do not exist: j < lengths[b]. Copies share
/// the lengths.
/// Errors: ShapeError if there is not one length for each sequence, or one is negative or larger
/// than S.
class Padding {
 public:
  static constexpr bool same_for_heads = true;
  explicit Padding(std::vector<Index> lengths)
      : lengths_(std::make_shared<const std::vector<Index>>(std::move(lengths))) {}

  const std::vector<Index>& lengths() const { return *lengths_; }

  void check(const ScoreShape& shape) const {
    if (static_cast<Index>(lengths().size()) != shape.batch)
      throw ShapeError("Padding: " + std::to_string(lengths().size()) +
                       " lengths must be one for each of the B = " + std::to_string(shape.batch) +
                       " sequences");
    for (const Index length : lengths())
      if (length < 0 || length > shape.keys)
        throw ShapeError(
            "Padding: length " + std::to_string(length) +
            " must be at least 0 and at most the key length S = " + std::to_string(shape.keys));
  }
  bool allows(Position at) const { return at.key < length(at.batch); }
  Coverage cover(Tile t) const {
    if (t.key_begin >= length(t.batch)) return Coverage::empty;
    return t.key_end <= length(t.batch) ? Coverage::full : Coverage::partial;
  }

 private:
  Index length(Index batch) const { return (*lengths_)[static_cast<std::size_t>(batch)]; }

  std::shared_ptr<const std::vector<Index>> lengths_;
};

}  // namespace ATTN_ABI
}  // namespace attn
