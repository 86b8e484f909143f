#pragma once

#include <attn/core/workspace.hpp>
#include <attn/nn/language_model_cache.hpp>
#include <attn/nn/sampling.hpp>
#include <functional>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The most tokens that prompt and text can have. Errors: OptionError for what does not fit.
template <class Model>
Index longest_text(const Model& model, const std::vector<Index>& prompt,
                   const SamplingOptions& sampling) {
  sampling.check(model.options.vocabulary);
  const Index length = std::ssize(prompt), most = model.options.max_length;
  expect_option(length >= 1, "generate", "the length of the prompt", length, "at least 1");
  expect_option(length <= most, "generate", "the length of the prompt", length,
                "at most max_length = " + std::to_string(most));
  for (const Index token : prompt)
    expect_option(token >= 0 && token < model.options.vocabulary, "generate",
                  "a token of the prompt", token,
                  "at least 0 and below vocabulary = " + std::to_string(model.options.vocabulary));
  return length + std::min(sampling.max_new_tokens, most - length);
}

/// Tokens of one sequence, (1, L).
inline Tensor<Index, 2> one_sequence(std::span<const Index> tokens) {
  auto sequence = Tensor<Index, 2>::for_overwrite({1, std::ssize(tokens)});
  std::copy(tokens.begin(), tokens.end(), sequence.data());
  return sequence;
}

template <class T>
std::span<const T> row_of(const Tensor<T, 2>& logits, Index r) {
  const Index V = logits.shape()[1];
  return {logits.data() + r * V, static_cast<std::size_t>(V)};
}

/// One text that grows token by token, by logits in T.
template <class T>
class GrowingText {
 public:
  GrowingText(const std::vector<Index>& prompt, const SamplingOptions& sampling, Index longest)
      : sampling_(&sampling),
        sampler_(sampling),
        prompt_length_(prompt.size()),
        longest_(static_cast<std::size_t>(longest)) {
    tokens_.reserve(longest_);
    tokens_ = prompt;
  }

  bool can_grow() const { return tokens_.size() < longest_; }
  /// Adds the token that the logits after the last one choose.
  Index add(std::span<const T> logits) {
    tokens_.push_back(sampler_.next(tokens_, logits));
    return tokens_.back();
  }
  bool has_ended() const {
    const auto& end = sampling_->end;
    return !can_grow() || std::find(end.begin(), end.end(), tokens_.back()) != end.end();
  }
  Index last() const { return tokens_.back(); }
  std::vector<Index> text() const {
    return {tokens_.begin() + static_cast<std::ptrdiff_t>(prompt_length_), tokens_.end()};
  }

 private:
  const SamplingOptions* sampling_;
  TokenSampler<T> sampler_;
  std::size_t prompt_length_, longest_;
  std::vector<Index> tokens_;
};

/// Truncates the cache of one sequence to the beginning that it has in common with the prompt, of
/// which at least the last token is left to compute. If a cache that keeps a window has forgotten
/// what comes before, it is emptied. Returns its length.
template <class T>
Index keep_common_prefix(LanguageModelCache<T>& cache, const std::vector<Index>& prompt) {
  const auto& cached = cache.tokens.front();
  const auto end = prompt.end() - 1;
  const auto differs = std::mismatch(prompt.begin(), end, cached.begin(), cached.end()).first;
  const Index common = differs - prompt.begin();
  if (common < cache.length()) cache.truncate(cache.layers.can_truncate(common) ? common : 0);
  return cache.length();
}

/// Continues the prompt in a cache of one sequence.
template <class Model, class T>
std::vector<Index> generate_text(const Model& model, const std::vector<Index>& prompt,
                                 const SamplingOptions& sampling, LanguageModelCache<T>& cache,
                                 const std::function<bool(Index)>& on_token) {
  const Index longest = longest_text(model, prompt, sampling);
  expect_option(cache.batch() == 1, "generate", "the number of sequences of the cache",
                cache.batch(), "1");
  const Index capacity = cache.layers.capacity();
  expect_option(std::ssize(prompt) <= capacity, "generate", "the length of the prompt",
                std::ssize(prompt),
                "at most the capacity of the cache, " + std::to_string(capacity));
  GrowingText<T> text(prompt, sampling, capacity < longest ? capacity + 1 : longest);
  if (!text.can_grow()) return {};
  const Workspace workspace;
  const Index common = keep_common_prefix(cache, prompt);
  auto logits = model.last_logits(
      one_sequence(std::span(prompt).subspan(static_cast<std::size_t>(common))), cache);
  for (;;) {
    const Index token = text.add(row_of(logits, 0));
    if ((on_token && !on_token(token)) || text.has_ended()) return text.text();
    logits = model.last_logits(one_sequence(std::span(&token, 1)), cache);
  }
}

/// The texts that grow, the logits of their next tokens, a row for each, and their cache.
template <class T>
struct GrowingTexts {
  LanguageModelCache<T> cache;
  Tensor<T, 2> logits;
  std::vector<Index> numbers;
};

/// Computes each prompt by itself, for they differ in length.
template <class Model>
auto begin_texts(const Model& model, const std::vector<std::vector<Index>>& prompts,
                 const std::vector<GrowingText<typename Model::Scalar>>& texts, Index longest) {
  using Cache = decltype(model.cache(1, 1));
  using Logits = decltype(model.last_logits({}, std::declval<Cache&>()));
  std::vector<Cache> caches;
  std::vector<Index> numbers;
  auto logits = Logits::for_overwrite({std::ssize(prompts), model.options.vocabulary});
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (!texts[i].can_grow()) continue;
    caches.push_back(model.cache(1, longest));
    const auto first = model.last_logits(one_sequence(prompts[i]), caches.back());
    copy(first[0], logits.view()[std::ssize(numbers)]);
    numbers.push_back(static_cast<Index>(i));
  }
  return GrowingTexts<typename Logits::Scalar>{
      caches.empty() ? model.cache(0, 0) : Cache::join(caches), std::move(logits),
      std::move(numbers)};
}

/// Continues several prompts, those that have not ended together.
template <class Model>
std::vector<std::vector<Index>> generate_texts(const Model& model,
                                               const std::vector<std::vector<Index>>& prompts,
                                               const SamplingOptions& sampling,
                                               const std::function<bool(Index, Index)>& on_token) {
  using Text = GrowingText<typename Model::Scalar>;
  std::vector<Text> texts;
  Index longest = 0;
  for (const auto& prompt : prompts) {
    const Index own = longest_text(model, prompt, sampling);
    texts.emplace_back(prompt, sampling, own);
    longest = std::max(longest, own);
  }
  const Workspace workspace;
  auto [cache, logits, growing] = begin_texts(model, prompts, texts, longest);
  while (!growing.empty()) {
    std::vector<Index> rows, still_growing;
    for (std::size_t r = 0; r < growing.size(); ++r) {
      Text& text = texts[static_cast<std::size_t>(growing[r])];
      const Index token = text.add(row_of(logits, static_cast<Index>(r)));
      if ((on_token && !on_token(growing[r], token)) || text.has_ended()) continue;
      rows.push_back(static_cast<Index>(r));
      still_growing.push_back(growing[r]);
    }
    growing = std::move(still_growing);
    if (growing.empty()) break;
    cache.select(rows);
    auto next = Tensor<Index, 2>::for_overwrite({std::ssize(growing), 1});
    for (std::size_t r = 0; r < growing.size(); ++r)
      next(static_cast<Index>(r), 0) = texts[static_cast<std::size_t>(growing[r])].last();
    logits = model.last_logits(next, cache);
  }
  std::vector<std::vector<Index>> result;
  for (const Text& text : texts) result.push_back(text.text());
  return result;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
