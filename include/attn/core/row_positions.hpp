#pragma once

#include <attn/core/shape.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The positions of the rows of a tensor: `offset`, `offset` + 1, …, or a list, as Hugging Face's
/// `position_ids`. A list may be some positions of `all`. Copies share the list.
class RowPositions {
 public:
  RowPositions(Index offset = 0) : offset_(offset) {}
  RowPositions(std::vector<Index> list, std::optional<Index> all = std::nullopt)
      : list_(std::make_shared<const std::vector<Index>>(std::move(list))), all_(all) {}

  Index operator[](Index row) const {
    return list_ ? (*list_)[static_cast<std::size_t>(row)] : offset_ + row;
  }
  /// Whether each row stands one after the row before it.
  bool is_contiguous() const { return !list_; }
  /// The number of all positions, if these are `rows` of them: the same if nothing else was said.
  Index all(Index rows) const { return all_.value_or(rows); }

  /// Errors: ShapeError, in the name of `function`, if a list has not a position for each row.
  void check(Index rows, const char* function) const {
    if (list_ && std::ssize(*list_) != rows)
      throw ShapeError(std::string(function) + ": " + std::to_string(std::ssize(*list_)) +
                       " positions must be one for each of the L = " + std::to_string(rows) +
                       " rows");
  }
  /// Errors: those of `check`, and ShapeError if an element of a list is not one of all.
  void check_places(Index rows, const char* function) const {
    check(rows, function);
    if (!list_) return;
    for (Index i = 0; i < rows; ++i)
      if ((*this)[i] < 0 || (*this)[i] >= all(rows))
        throw ShapeError(std::string(function) + ": the place " + std::to_string((*this)[i]) +
                         " of row " + std::to_string(i) + " must be one of the " +
                         std::to_string(all(rows)) + " rows that the mask is drawn for");
  }

 private:
  Index offset_ = 0;
  std::shared_ptr<const std::vector<Index>> list_;
  std::optional<Index> all_;
};

}  // namespace ATTN_ABI
}  // namespace attn
