#pragma once

#include <algorithm>
#include <attn/core/state_dict.hpp>
#include <attn/io/names.hpp>
#include <limits>
#include <map>
#include <optional>
#include <set>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The texts that the {} of a pattern stand for in a name, or nothing where the name does not fit.
inline std::optional<std::vector<std::string>> match_name(std::string_view pattern,
                                                          std::string_view name) {
  std::vector<std::string> texts;
  for (std::size_t hole; (hole = pattern.find("{}")) != pattern.npos;) {
    if (!name.starts_with(pattern.substr(0, hole))) return std::nullopt;
    name.remove_prefix(hole);
    pattern.remove_prefix(hole + 2);
    const std::string_view next = pattern.substr(0, pattern.find("{}"));
    std::size_t length = name.find(next, 1);
    if (next.size() == pattern.size())
      length = name.ends_with(next) ? name.size() - next.size() : 0;
    if (length == 0 || length == name.npos) return std::nullopt;
    texts.emplace_back(name.substr(0, length));
    if (!pattern.empty() && texts.back().find('.') != std::string::npos) return std::nullopt;
    name.remove_prefix(length);
  }
  return name == pattern ? std::optional(texts) : std::nullopt;
}

/// The name whose {} stand for these texts.
inline std::string fill_name(std::string_view pattern, const std::vector<std::string>& texts) {
  std::string name;
  for (const std::string& text : texts) {
    const std::size_t hole = pattern.find("{}");
    name.append(pattern.substr(0, hole)) += text;
    pattern.remove_prefix(hole + 2);
  }
  return name.append(pattern);
}

}  // namespace detail

/// The tensors of a source under the names that a NameMap gives them; itself a source of them.
template <class Source>
class MappedSource {
 public:
  /// Sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, entry] : entries_) result.push_back(name);
    return result;
  }
  bool contains(const std::string& name) const { return entries_.contains(name); }
  const std::vector<Index>& shape(const std::string& name) const { return find(name).shape; }
  template <class T>
    requires StateSource<std::remove_cvref_t<Source>, T>
  void read(const std::string& name, std::span<T> to) const {
    const Entry& entry = find(name);
    if (static_cast<Index>(to.size()) != checked_size(entry.shape))
      throw ShapeError("NameMap: " + in_quotes(name) +
                       " must be read into as many values as its shape " + to_string(entry.shape) +
                       " has, not " + std::to_string(to.size()));
    for (const std::string& part : entry.parts) {
      const auto size = static_cast<std::size_t>(checked_size(source_.shape(part)));
      source_.read(part, to.first(size));
      to = to.subspan(size);
    }
  }
  template <class T>
  void check(const std::string& name) const {
    if constexpr (requires { source_.template check<T>(name); })
      for (const std::string& part : find(name).parts) source_.template check<T>(part);
  }
  /// What the source stores under a name that one of its own stands for.
  auto stored(const std::string& name) const
    requires requires(const std::remove_cvref_t<Source>& s) { s.stored(name); }
  {
    const std::vector<std::string>& parts = find(name).parts;
    return parts.size() == 1 ? source_.stored(parts.front()) : std::nullopt;
  }

 private:
  friend class NameMap;
  struct Entry {
    std::vector<std::string> parts;  // by the source's names
    std::vector<Index> shape;
  };

  MappedSource(Source source, const std::map<std::string, std::vector<std::string>>& parts_of)
      : source_(std::forward<Source>(source)) {
    for (const auto& [name, parts] : parts_of)
      entries_.emplace(name, Entry{parts, stacked_shape(name, parts)});
  }
  /// The shape of the parts, stacked along the first axis.
  std::vector<Index> stacked_shape(const std::string& name,
                                   const std::vector<std::string>& parts) const {
    const std::vector<Index> first = source_.shape(parts.front());
    std::vector<Index> shape = first;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::vector<Index> next = source_.shape(parts[i]);
      if (first.empty() || next.size() != first.size() ||
          !std::equal(next.begin() + 1, next.end(), first.begin() + 1))
        throw ShapeError("NameMap: to be stacked as " + in_quotes(name) + ", " +
                         in_quotes(parts[i]) + " " + to_string(next) +
                         " must have the extents of " + in_quotes(parts.front()) + " " +
                         to_string(first) + " after the first axis");
      if (next[0] > std::numeric_limits<Index>::max() - shape[0])
        throw ShapeError("NameMap: " + in_quotes(name) + " has more rows than an Index can count");
      shape[0] += next[0];
    }
    return shape;
  }
  const Entry& find(const std::string& name) const {
    if (const auto at = entries_.find(name); at != entries_.end()) return at->second;
    throw ShapeError("NameMap: there is no entry " + in_quotes(name) +
                     detail::suggestion(name, names()));
  }

  Source source_;
  std::map<std::string, Entry> entries_;
};

/// Loads what another library saved, under this library's names:
///
///   const attn::NameMap bert{
///       {{"layers.{}.self_attn.in_proj_{}",
///         {"layer.{}.query.{}", "layer.{}.key.{}", "layer.{}.value.{}"}},
///        {"layers.{}.norm1.{}", {"layer.{}.LayerNorm.{}"}}},
///       {"pooler.{}"}};  // is left out
///   encoder.load_state_dict(bert(attn::load_safetensors(path)));
///
/// A tensor whose name fits a source of a rule gets the rule's target as its name, with the same
/// texts for {} in the same order; it is stacked along the first axis with those that fit the
/// rule's other sources by the same texts, in the order of the sources. The first rule that fits
/// counts. A name that fits no rule stays as it is, or the tensor is left out where its name fits a
/// pattern of `left_out`. {} stands for one or more characters, as few as fit, and none is a dot,
/// except for a {} that ends the pattern: "pooler.{}" fits "pooler.dense.weight", "layer.{}.weight"
/// does not fit "layer.norm.1.weight", and "{}" fits every name.
class NameMap {
 public:
  struct Rule {
    std::string target;
    std::vector<std::string> sources;
  };

  /// Errors: OptionError if a rule has no sources, a source has another number of {} than its
  /// target, or a pattern has other braces than {}.
  NameMap(std::vector<Rule> rules, std::vector<std::string> left_out = {})
      : rules_(std::move(rules)), left_out_(std::move(left_out)) {
    for (const std::string& pattern : left_out_) count_holes(pattern);
    for (const Rule& rule : rules_) {
      const std::size_t holes = count_holes(rule.target);
      if (rule.sources.empty())
        throw OptionError("NameMap: " + in_quotes(rule.target) + " must have at least one source");
      for (const std::string& source : rule.sources)
        if (const std::size_t got = count_holes(source); got != holes)
          throw OptionError("NameMap: " + in_quotes(source) + " has " + std::to_string(got) +
                            " {}, but its target " + in_quotes(rule.target) + " has " +
                            std::to_string(holes));
    }
  }

  /// The source under this library's names. A temporary is moved from, and a source that can be
  /// copied without failing, because copies share what they hold (SafeTensors), is copied; any
  /// other is referred to and must outlive the result.
  /// Errors: ShapeError if two tensors get one name, one of several that make a tensor is missing,
  /// or their shapes do not stack.
  template <class Source>
    requires StateSource<std::remove_cvref_t<Source>, float> ||
             StateSource<std::remove_cvref_t<Source>, double>
  auto operator()(Source&& source) const {
    using Plain = std::remove_cvref_t<Source>;
    constexpr bool refer =
        std::is_lvalue_reference_v<Source> && !std::is_nothrow_copy_constructible_v<Plain>;
    const auto parts = parts_of(source.names());
    return MappedSource<std::conditional_t<refer, const Plain&, Plain>>(
        std::forward<Source>(source), parts);
  }

 private:
  static std::size_t count_holes(std::string_view pattern) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = pattern.find_first_of("{}", at)) != pattern.npos; at += 2) {
      if (pattern.substr(at, 2) != "{}")
        throw OptionError("NameMap: the braces of " + in_quotes(pattern) +
                          " must be {}, with nothing between them");
      ++count;
    }
    return count;
  }

  /// The target's name, and the names of its parts; none if the name is left out.
  std::pair<std::string, std::vector<std::string>> target_of(const std::string& name) const {
    for (const Rule& rule : rules_)
      for (const std::string& source : rule.sources)
        if (const auto texts = detail::match_name(source, name)) {
          std::vector<std::string> parts;
          for (const std::string& sibling : rule.sources)
            parts.push_back(detail::fill_name(sibling, *texts));
          return {detail::fill_name(rule.target, *texts), std::move(parts)};
        }
    for (const std::string& pattern : left_out_)
      if (detail::match_name(pattern, name)) return {};
    return {name, {name}};
  }
  std::map<std::string, std::vector<std::string>> parts_of(
      const std::vector<std::string>& names) const {
    const std::set<std::string> given(names.begin(), names.end());
    std::map<std::string, std::vector<std::string>> result;
    for (const std::string& name : names) {
      const auto [target, parts] = target_of(name);
      if (parts.empty()) continue;
      for (const std::string& part : parts)
        if (!given.contains(part))
          throw ShapeError("NameMap: " + in_quotes(target) + " is made of " + in_quotes(name) +
                           " and of " + in_quotes(part) + ", which is missing");
      if (const auto [at, is_new] = result.try_emplace(target, parts);
          !is_new && at->second != parts)
        throw ShapeError("NameMap: " + in_quotes(at->second.front()) + " and " + in_quotes(name) +
                         " both become " + in_quotes(target));
    }
    return result;
  }

  std::vector<Rule> rules_;
  std::vector<std::string> left_out_;
};

static_assert(StateSource<MappedSource<StateDict<float>>, float> &&
              StateSource<MappedSource<const StateDict<double>&>, double>);

}  // namespace ATTN_ABI
}  // namespace attn
