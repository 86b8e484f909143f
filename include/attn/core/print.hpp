#pragma once

#include <attn/core/tensor.hpp>
#include <charconv>
#include <cmath>
#include <concepts>
#include <ostream>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// How NumPy writes the numbers of one array: all equally wide, with the point below the point; as
/// few digits as tell a number from its neighbours, but at most 8 after the point; all with an
/// exponent if one is too large, too small, or if they differ too much. Made from all numbers that
/// are shown.
template <class T>
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<T>& values) {
    if constexpr (std::floating_point<T>) measure(values);
    else if constexpr (!std::same_as<T, bool>)
      for (const T value : values) whole_ = std::max(whole_, std::to_string(value).size());
  }

  std::string operator()(T value) const {
    if constexpr (std::same_as<T, bool>) {
      return value ? " True" : "False";
    } else if constexpr (std::integral<T>) {
      return padded(std::to_string(value), whole_);
    } else {
      if (!std::isfinite(value)) return padded(special(value), whole_ + 1 + fraction_ + exponent_);
      Parts parts = split(value, scientific_ ? fraction_ : 0);
      parts.fraction.resize(fraction_, ' ');
      if (scientific_) parts.exponent.insert(2, exponent_ - parts.exponent.size(), '0');
      return padded(parts.whole, whole_) + '.' + parts.fraction + parts.exponent;
    }
  }

 private:
  static constexpr int precision = 8;

  /// "-12" . "5", or "-1" . "25" "e+01".
  struct Parts {
    std::string whole, fraction, exponent;
  };

  void measure(const std::vector<T>& values) {
    T largest = 0, smallest = std::numeric_limits<T>::max();
    for (const T value : values)
      if (std::isfinite(value) && value != 0)
        largest = std::max(largest, std::abs(value)),
        smallest = std::min(smallest, std::abs(value));
    const T too_large = std::numeric_limits<T>::digits10 < precision
                            ? T(1e6)
                            : T(1e8);  // 10^digits10 of float, else 10^8
    scientific_ =
        largest > 0 && (largest >= too_large || smallest < T(0.0001) || largest / smallest > 1000);
    for (const T value : values)
      if (std::isfinite(value)) {
        const Parts parts = split(value);
        whole_ = std::max(whole_, parts.whole.size()),
        fraction_ = std::max(fraction_, parts.fraction.size());
        exponent_ = std::max(exponent_, parts.exponent.size());
      }
    for (const T value : values)
      if (!std::isfinite(value))
        while (whole_ + 1 + fraction_ + exponent_ < special(value).size()) ++whole_;
  }

  /// Digits after the point: the fewest that tell the value, but not above `precision`, and not
  /// below `at_least`.
  Parts split(T value, std::size_t at_least = 0) const {
    char buffer[64];
    const auto format = scientific_ ? std::chars_format::scientific : std::chars_format::fixed;
    const auto written = [&](auto... digits) -> Parts {
      const std::to_chars_result end =
          std::to_chars(buffer, std::end(buffer), value, format, digits...);
      const std::string text(buffer, end.ptr);
      const std::size_t e = std::min(text.find('e'), text.size()),
                        point = std::min(text.find('.'), e), fraction = std::min(point + 1, e);
      return {text.substr(0, point), text.substr(fraction, e - fraction), text.substr(e)};
    };
    Parts parts = written();
    if (parts.fraction.size() > precision) {
      parts = written(precision);
      parts.fraction.erase(parts.fraction.find_last_not_of('0') + 1);
    }
    if (parts.fraction.size() < at_least) parts = written(static_cast<int>(at_least));
    return parts;
  }

  static std::string special(T value) {
    return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
  }
  static std::string padded(const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
  }

  bool scientific_ = false;
  std::size_t whole_ = 0, fraction_ = 0, exponent_ = 0;  // widths
};

/// A tensor as NumPy's `str(array)` writes it with its default options: above 1000 elements only
/// the first and last three of each axis.
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

  /// Calls body(i) for the indices of an axis that are shown, and gap() where the others are.
  template <class Body, class Gap>
  void for_shown(Index extent, const Body& body, const Gap& gap) const {
    for (Index i = 0; i < extent; ++i) {
      if (abridged_ && extent > 2 * edge && i == edge) gap(), i = extent - edge;
      body(i);
    }
  }

  template <int N>
  std::vector<T> shown_values(const TensorView<const T, N>& tensor) const {
    std::vector<T> values;
    const auto collect = [&]<int M>(const auto& self, const TensorView<const T, M>& view) -> void {
      for_shown(
          view.shape()[0],
          [&](Index i) {
            if constexpr (M == 1) values.push_back(view(i));
            else self(self, view[i]);
          },
          [] {});
    };
    collect(collect, tensor);
    return values;
  }

  /// `indent` stands before every line but the first; it is as wide as the brackets that are open
  /// by then.
  template <int N>
  std::string brackets(const TensorView<const T, N>& view, const std::string& indent,
                       std::size_t width) const {
    std::string text;
    if constexpr (N == 1) {
      std::string line = indent;
      const auto add = [&](const std::string& word) {
        if (line.size() > indent.size() &&
            line.size() + 1 + word.size() >
                width) {  // a line of one word may be longer, as may the bracket
          text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
          line = indent;
        }
        line += word + ' ';
      };
      for_shown(
          view.shape()[0], [&](Index i) { add(format_(view(i))); }, [&] { add("..."); });
      line.pop_back();
      text += line;
    } else {
      const auto next = [&] { text += (text.empty() ? "" : std::string(N - 1, '\n')) + indent; };
      for_shown(
          view.shape()[0],
          [&](Index i) { next(), text += brackets(view[i], indent + ' ', width - 1); },
          [&] { next(), text += "..."; });
    }
    return '[' + text.substr(indent.size()) + ']';
  }

  bool abridged_;
  NumberFormat<T> format_;
  std::string text_;
};

/// Prints like NumPy.
template <class T, int N>
std::ostream& operator<<(std::ostream& out, const TensorView<T, N>& tensor) {
  return out << TensorText<std::remove_const_t<T>>(TensorView<const T, N>(tensor)).text();
}
template <class T, int N>
std::ostream& operator<<(std::ostream& out, const Tensor<T, N>& tensor) {
  return out << tensor.view();
}

}  // namespace ATTN_ABI
}  // namespace attn
