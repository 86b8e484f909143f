#pragma once

#include <attn/core/number_format.hpp>
#include <attn/core/tensor.hpp>
#include <ostream>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A tensor as NumPy's `str(array)` writes it with its default options: of more than 1000 elements
/// only the first and last three of each axis.
template <class T>
class TensorText {
 public:
  template <int N>
  explicit TensorText(const TensorView<const T, N>& tensor)
      : abridged_(tensor.size() > 1000),
        format_(shown_values(tensor)),
        text_(tensor.size() > 0 ? brackets(tensor, " ", 75) : "[]") {}

  const std::string& text() const { return text_; }

 private:
  static constexpr Index edge = 3;

  /// Calls body(i) for the shown indices of an axis, and ellipsis() in place of the others.
  template <class Body, class Ellipsis>
  void for_shown(Index extent, const Body& body, const Ellipsis& ellipsis) const {
    for (Index i = 0; i < extent; ++i) {
      if (abridged_ && extent > 2 * edge && i == edge) {
        ellipsis();
        i = extent - edge;
      }
      body(i);
    }
  }

  template <int N>
  std::vector<T> shown_values(const TensorView<const T, N>& tensor) const {
    std::vector<T> values;
    collect(tensor, values);
    return values;
  }
  template <int N>
  void collect(const TensorView<const T, N>& view, std::vector<T>& values) const {
    const auto add = [&](Index i) {
      if constexpr (N == 1) values.push_back(view(i));
      else collect(view[i], values);
    };
    for_shown(view.shape()[0], add, [] {});
  }

  /// `indent` precedes every line but the first; it is as wide as the brackets that are open there.
  template <int N>
  std::string brackets(const TensorView<const T, N>& view, const std::string& indent,
                       std::size_t width) const {
    std::string text;
    if constexpr (N == 1) text = values(view, indent, width);
    else text = blocks(view, indent, width);
    return '[' + text.substr(indent.size()) + ']';
  }

  /// The values of one axis in lines of at most `width` columns. A line of one word may be longer,
  /// and so may the bracket that follows.
  std::string values(const TensorView<const T, 1>& view, const std::string& indent,
                     std::size_t width) const {
    std::string text;
    std::string line = indent;
    const auto add = [&](const std::string& word) {
      if (line.size() > indent.size() && line.size() + 1 + word.size() > width) {
        text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
        line = indent;
      }
      line += word + ' ';
    };
    const auto add_value = [&](Index i) { add(format_(view(i))); };
    for_shown(view.shape()[0], add_value, [&] { add("..."); });
    line.pop_back();
    return text + line;
  }

  /// The blocks of the first axis, with N − 2 empty lines between them.
  template <int N>
  std::string blocks(const TensorView<const T, N>& view, const std::string& indent,
                     std::size_t width) const {
    std::string text;
    const auto add = [&](const std::string& block) {
      text += (text.empty() ? "" : std::string(N - 1, '\n')) + indent + block;
    };
    const auto add_block = [&](Index i) { add(brackets(view[i], indent + ' ', width - 1)); };
    for_shown(view.shape()[0], add_block, [&] { add("..."); });
    return text;
  }

  bool abridged_;
  NumberFormat<T> format_;
  std::string text_;
};

}  // namespace detail

/// Prints a tensor as NumPy does.
template <class T, int N>
std::ostream& operator<<(std::ostream& out, const TensorView<T, N>& tensor) {
  return out << detail::TensorText<std::remove_const_t<T>>(TensorView<const T, N>(tensor)).text();
}
template <class T, int N>
std::ostream& operator<<(std::ostream& out, const Tensor<T, N>& tensor) {
  return out << tensor.view();
}

}  // namespace ATTN_ABI
}  // namespace attn
