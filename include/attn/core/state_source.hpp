#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Anything that tensors of T can be loaded from by name: a StateDict, a safetensors file.
/// `read` fills a span of exactly as many elements as the shape has, converted to T; it throws
/// where it cannot. A source in which a value may be lost has `check<T>(name)` as well, which
/// throws where `read` would, so that a layer changes as a whole or not at all.
template <class S, class T>
concept StateSource = requires(const S& source, const std::string& name, std::span<T> output) {
  { source.names() } -> std::convertible_to<std::vector<std::string>>;
  { source.shape(name) } -> std::convertible_to<std::vector<Index>>;
  source.read(name, output);
};

namespace detail {

/// Names for an error message: "a, b", or "none".
class NameList {
 public:
  void add(const std::string& name) { text_ += (text_.empty() ? "" : ", ") + name; }
  bool empty() const { return text_.empty(); }
  std::string text() const { return text_.empty() ? "none" : text_; }

 private:
  std::string text_;
};

/// Checks that the entries of `source` whose names begin with `prefix` are exactly `wanted`: pairs
/// of a name, without the prefix, and a shape.
/// Errors: ShapeError "rule; missing: …; unexpected: …; misshapen: …", naming every entry.
template <class Source, class Wanted>
void expect_entries(const std::string& rule, const Source& source, std::string_view prefix,
                    const Wanted& wanted) {
  std::vector<std::string> given;
  for (std::string& name : source.names())
    if (name.starts_with(prefix)) given.push_back(std::move(name));
  std::sort(given.begin(), given.end());

  NameList missing, unexpected, misshapen;
  std::vector<std::string> known;
  for (const auto& [bare, shape] : wanted) {
    const std::string& name = known.emplace_back(std::string(prefix) + bare);
    if (!std::binary_search(given.begin(), given.end(), name)) missing.add(name);
    else if (const std::vector<Index> stored = source.shape(name); stored != shape)
      misshapen.add(name + " " + to_string(stored) + " instead of " + to_string(shape));
  }
  std::sort(known.begin(), known.end());
  for (const std::string& name : given)
    if (!std::binary_search(known.begin(), known.end(), name)) unexpected.add(name);

  if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
  throw ShapeError(rule + "; missing: " + missing.text() + "; unexpected: " + unexpected.text() +
                   "; misshapen: " + misshapen.text());
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
