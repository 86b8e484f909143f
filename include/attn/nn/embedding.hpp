#pragma once

#include <attn/core/option.hpp>
#include <attn/core/random.hpp>
#include <attn/math/embedding.hpp>
#include <attn/nn/module.hpp>
#include <cmath>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options, and the factor by which the rows are multiplied: by default √embedding_dim,
/// as in the paper; 1 for PyTorch's layer.
struct EmbeddingOptions {
  Index num_embeddings, embedding_dim;
  std::optional<double> scale = std::nullopt;
};

/// Row ids(…) of `weight` (num_embeddings, embedding_dim), times √embedding_dim: ids (…) give (…,
/// embedding_dim)   [Vaswani17 §3.4]
/// The weight is zero without a Random; with one, normal with a standard deviation of 1 / scale, so
/// that the output has a standard deviation of 1. `embedding(tape, ids)` is recorded.
/// Errors: OptionError for sizes below 1, a scale that is not finite and positive, and an id
/// outside the vocabulary.
template <class T>
class Embedding : public Module<Embedding<T>, T> {
 public:
  static constexpr const char* kind = "Embedding";
  Parameter<T, 2> weight;
  double scale;

  explicit Embedding(const EmbeddingOptions& options)
      : scale(options.scale.value_or(std::sqrt(static_cast<double>(options.embedding_dim)))) {
    expect_option(options.num_embeddings >= 1, kind, "num_embeddings", options.num_embeddings,
                  "at least 1");
    expect_option(options.embedding_dim >= 1, kind, "embedding_dim", options.embedding_dim,
                  "at least 1");
    expect_option(scale > 0 && std::isfinite(scale), kind, "scale", scale, "positive and finite");
    weight = Parameter<T, 2>({options.num_embeddings, options.embedding_dim});
  }
  Embedding(const EmbeddingOptions& options, Random& random) : Embedding(options) {
    initialize(random);
  }

  template <class Self, class Ids>
  static auto forward(Self& self, const Ids& ids) {
    return apply(EmbeddingLookup{self.scale}, ids, table_rows(self.weight));
  }

  template <class F>
  void for_each_weight(F&& f) {
    f(weight);
  }
  void initialize(Random& random) { random.normal(weight.edit(), 0, 1 / scale); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
