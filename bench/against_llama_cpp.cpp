// A language model as a few C functions, for against_llama_cpp.py and perplexity.py. Handles are
// freed by the process's end.
#include <attn/attn.hpp>
#include <attn/io/language_model.hpp>
#include <cmath>
#include <cstdio>

namespace {

using attn::Index;

struct Loaded {
  attn::LanguageModel<float> model;
  attn::LanguageModelCache<float> cache;
  attn::Tensor<float, 2> logits{};

  explicit Loaded(const char* path)
      : model(attn::load_language_model<float>(path)), cache(model.cache(1, 0)) {}
};

}  // namespace

extern "C" {

void attn_set_threads(Index n) { attn::set_num_threads(n); }

/// Null, with the reason on standard error, if the model cannot be loaded.
void* attn_load(const char* path) {
  try {
    return new Loaded(path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return nullptr;
  }
}
/// Whether activations are rounded to int8 where weights have 8 or 4 bits.
void attn_round_activations(void* handle, int rounded) {
  std::optional<attn::Storage> storage;
  if (rounded != 0) storage = attn::Storage::int8;
  static_cast<Loaded*>(handle)->model.round_activations(storage);
}
/// An empty context of so many tokens, whose keys and values are stored in float16 if `half` is not
/// 0.
void attn_begin(void* handle, Index context, int half) {
  auto* const loaded = static_cast<Loaded*>(handle);
  std::optional<attn::Storage> storage;
  if (half != 0) storage = attn::Storage::float16;
  loaded->cache = loaded->model.cache(1, context, storage);
}
/// The logits after the next tokens, which the handle keeps until the next call.
const float* attn_next(void* handle, const Index* tokens, Index count) {
  auto* const loaded = static_cast<Loaded*>(handle);
  const attn::Workspace workspace;
  attn::Tensor<Index, 2> next({1, count});
  std::copy_n(tokens, count, next.data());
  loaded->logits = loaded->model.last_logits(next, loaded->cache);
  return loaded->logits.data();
}
/// Writes −log p(token i | the tokens before it) for i = 1 … count − 1.
void attn_losses(void* handle, const Index* tokens, Index count, double* losses) {
  attn::Tensor<Index, 2> text({1, count});
  std::copy_n(tokens, count, text.data());
  const attn::Tensor<float, 3> logits = static_cast<Loaded*>(handle)->model(text);
  const Index vocabulary = logits.shape()[2];
  for (Index i = 1; i < count; ++i) {
    const float* const row = &logits(0, i - 1, 0);
    const auto largest = static_cast<double>(*std::max_element(row, row + vocabulary));
    double sum = 0;
    for (Index v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(row[v]) - largest);
    losses[i - 1] = largest + std::log(sum) - static_cast<double>(row[tokens[i]]);
  }
}
}
