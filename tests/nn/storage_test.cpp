// Layers whose weights, and caches whose keys and values, are stored in fewer bits.
#include <gtest/gtest.h>
#include <attn/nn/language_model.hpp>
#include <attn/nn/transformer.hpp>

#include "support/allocations.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Storage, attn::Tensor;

const Storage weight_storages[] = {Storage::float32, Storage::bfloat16, Storage::float16,
                                   Storage::int8, Storage::int4};
const Storage cache_storages[] = {Storage::bfloat16, Storage::float16, Storage::int8};

attn::LanguageModelOptions llama_options() {
  return attn::llama({.vocabulary = 61,
                      .d_model = 40,
                      .nhead = 4,
                      .num_kv_heads = 2,
                      .dim_feedforward = 70,
                      .num_layers = 2,
                      .max_length = 1000});
}
attn::LanguageModelOptions gpt2_options() {
  return attn::gpt2({.vocabulary = 61,
                     .d_model = 40,
                     .nhead = 4,
                     .dim_feedforward = 70,
                     .num_layers = 2,
                     .max_length = 1000});
}
Tensor<Index, 2> some_tokens(Index B, Index L) {
  attn::Random random{9};
  Tensor<Index, 2> tokens({B, L});
  for (Index i = 0; i < tokens.size(); ++i) tokens.data()[i] = random.index(61);
  return tokens;
}

/// Replaces each weight of a layer by the numbers that it would be stored as.
template <class Layer>
void round_weights(Layer& layer, Storage storage) {
  layer.for_each_weight([&](auto& weight) {
    const auto stored = attn::round_weight<float>(weight.value().view(), storage);
    Tensor<float, 2>& value = weight.edit();
    for (Index i = 0; i < stored.rows(); ++i)
      for (Index k = 0; k < stored.columns(); ++k) value(i, k) = stored(i, k);
  });
}

TEST(StoreWeights, OfALanguageModelComputesBitwiseWithTheNumbersThatAreStored) {
  for (const auto& options : {llama_options(), gpt2_options()})
    for (const Storage storage : weight_storages) {
      attn::Random random{1};
      attn::LanguageModel<float> model(options, random);
      attn::LanguageModel<float> rounded = model;
      model.store_weights(storage);
      round_weights(rounded, storage);
      for (const Index L : {1, 3, 12}) {
        const Tensor<Index, 2> tokens = some_tokens(2, L);
        EXPECT_TRUE(same_bits(model(tokens), rounded(tokens))) << to_string(storage);
      }
    }
}

/// The projections of query, key and value are rows of one weight here.
TEST(StoreWeights, OfATransformerComputesBitwiseWithTheNumbersThatAreStored) {
  for (const Storage storage : weight_storages) {
    attn::Random random{2};
    attn::TransformerEncoder<float> encoder(
        {.layer = {.d_model = 24, .nhead = 3, .dim_feedforward = 50}, .num_layers = 2}, random);
    attn::TransformerEncoder<float> rounded = encoder;
    encoder.store_weights(storage);
    round_weights(rounded, storage);
    const auto x = normal<float, 3>(random, {2, 9, 24});
    EXPECT_TRUE(same_bits(encoder(x), rounded(x))) << to_string(storage);
    EXPECT_EQ(encoder.layers[0].self_attn.in_proj_weight->storage(), storage);
    EXPECT_EQ(encoder.layers[1].feed_forward.linear2.weight.storage(), storage);
    EXPECT_FALSE(encoder.layers[0].self_attn.in_proj_bias->storage());
  }
}

/// Floats lose nothing: the layer computes what it computed before.
TEST(StoreWeights, AsFloatsChangesNoBit) {
  attn::Random random{12};
  attn::LanguageModel<float> model(llama_options(), random);
  const Tensor<Index, 2> tokens = some_tokens(2, 12);
  const Tensor<float, 3> before = model(tokens);
  model.store_weights(Storage::float32);
  EXPECT_TRUE(same_bits(model(tokens), before));
  EXPECT_EQ(model.encoder.layers[1].feed_forward.linear2.weight.storage(), Storage::float32);
}

TEST(StoreWeights, InDouble) {
  attn::Random random{3};
  attn::LanguageModel<double> model(llama_options(), random);
  const Tensor<Index, 2> tokens = some_tokens(1, 10);
  const Tensor<double, 3> before = model(tokens);
  model.store_weights(Storage::float16);
  const Tensor<double, 3> after = model(tokens);
  for (Index i = 0; i < before.size(); ++i) EXPECT_NEAR(after.data()[i], before.data()[i], 1e-3);
}

TEST(StoreWeights, ACopyOfALayerSharesThem) {
  attn::Random random{4};
  attn::Linear<float> layer({.in_features = 30, .out_features = 20}, random);
  layer.store_weights(Storage::int8);
  const attn::Linear<float> copy = layer;
  const auto x = normal<float, 2>(random, {3, 30});
  EXPECT_TRUE(same_bits(layer(x), copy(x)));
}

TEST(StoreWeights, AreForInference) {
  attn::Random random{5};
  attn::LanguageModel<float> model(llama_options(), random);
  const attn::StateDict<float> state = model.state_dict();
  model.store_weights(Storage::bfloat16);
  const std::string sentence =
      "Parameter: a weight that is stored as bfloat16 is for inference, and cannot be read, "
      "changed or trained; a model that is loaded with keep_storage = false can";
  const auto refuses = [&](auto&& f) { EXPECT_EQ(sentence_of<attn::OptionError>(f), sentence); };
  refuses([&] { model.store_weights(Storage::int8); });
  refuses([&] { model.state_dict(); });
  refuses([&] { model.load_state_dict(state); });
  refuses([&] { model.parameters(); });
  attn::Tape<float> tape;
  refuses([&] { model(tape, some_tokens(1, 4)); });
  EXPECT_EQ(model.num_parameters(), attn::LanguageModel<float>(llama_options()).num_parameters());
}

/// A layer whose bias comes before its weight.
struct BiasFirst : attn::Module<BiasFirst, float> {
  static constexpr const char* kind = "BiasFirst";
  attn::Parameter<float, 1> bias;
  attn::Linear<float> linear;

  BiasFirst() : bias({2}), linear({.in_features = 2, .out_features = 2, .bias = false}) {}
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("bias", self.bias);
    visitor("linear", self.linear);
  }
};
TEST(StoreWeights, ALoadThatIsRefusedChangesNothing) {
  BiasFirst layer, other;
  other.bias.edit()(1) = 5;
  layer.store_weights(Storage::int8);
  EXPECT_THROW(layer.load_state_dict(other.state_dict()), attn::OptionError);
  EXPECT_EQ(layer.bias.value()(1), 0);
}

TEST(StoreWeights, AreRoundedAllOrNot) {
  attn::Random random{6};
  attn::LanguageModel<float> model(llama_options(), random);
  model.encoder.layers[1].feed_forward.linear2.weight.edit()(3, 4) =
      std::numeric_limits<float>::infinity();
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { model.store_weights(Storage::int8); }),
            "store_weights: the weights must be finite, not inf");
  EXPECT_FALSE(model.embedding.weight.storage());
  EXPECT_NO_THROW(model.state_dict());
}

/// Step by step it gives bitwise what one pass gives, near what exact activations give.
TEST(RoundActivations, OfALanguageModelChangesItsLogitsALittle) {
  for (const auto& options : {llama_options(), gpt2_options()})
    for (const Storage storage : {Storage::int8, Storage::int4}) {
      attn::Random random{1};
      attn::LanguageModel<float> model(options, random);
      model.store_weights(storage);
      const Tensor<Index, 2> tokens = some_tokens(2, 12);
      const Tensor<float, 3> exact = model(tokens);
      model.round_activations(Storage::int8);
      const Tensor<float, 3> rounded = model(tokens);
      double worst = 0, largest = 0;
      for (Index i = 0; i < exact.size(); ++i) {
        worst = std::max(worst, double(std::abs(rounded.data()[i] - exact.data()[i])));
        largest = std::max(largest, double(std::abs(exact.data()[i])));
      }
      EXPECT_GT(worst, 0);
      EXPECT_LT(worst, 0.03 * largest);

      auto cache = model.cache(2, 12);
      for (Index i = 0; i < 12; ++i) {
        const Tensor<float, 3> one = model.step(tokens.slice(1, i, i + 1).copy(), cache);
        EXPECT_TRUE(same_bits(one, rounded.slice(1, i, i + 1).copy())) << i;
      }
      const attn::LanguageModel<float> copy = model;
      EXPECT_TRUE(same_bits(copy(tokens), rounded));
      model.round_activations(std::nullopt);
      EXPECT_TRUE(same_bits(model(tokens), exact));
    }
}

TEST(RoundActivations, ConcernsNoWeightsOf16BitsAndNoValues) {
  attn::Random random{2};
  attn::LanguageModel<float> model(llama_options(), random);
  const Tensor<Index, 2> tokens = some_tokens(1, 5);
  const Tensor<float, 3> before = model(tokens);
  model.round_activations(Storage::int8);
  EXPECT_TRUE(same_bits(model(tokens), before));
  attn::LanguageModel<float> stored = model;
  stored.round_activations(std::nullopt);
  for (auto* each : {&model, &stored}) each->store_weights(Storage::bfloat16);
  EXPECT_TRUE(same_bits(model(tokens), stored(tokens)));
}

TEST(RoundActivations, ToAnotherStorageIsASentence) {
  attn::LanguageModel<float> model(llama_options());
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { model.round_activations(Storage::bfloat16); }),
            "round_activations: storage = bfloat16 must be int8");
}

/// Step by step, with any number of threads, and from a copy: bitwise what one step gives.
TEST(StoredCache, GivesOneResultHoweverItIsFilled) {
  attn::Random random{7};
  const attn::LanguageModel<float> model(llama_options(), random);
  const Tensor<Index, 2> tokens = some_tokens(2, 230);
  const Tensor<float, 3> exact = model(tokens);
  for (const Storage storage : cache_storages) {
    auto whole = model.cache(2, 300, storage);
    const Tensor<float, 3> all = model.step(tokens, whole);
    auto cache = model.cache(2, 300, storage);
    model.step(tokens.slice(1, 0, 200).copy(), cache);
    auto copy = cache;
    model.step(tokens.slice(1, 0, 9).copy(), copy);
    copy.truncate(200);
    cache = copy;
    for (Index i = 200; i < 230; ++i) {
      const Tensor<float, 3> one = model.step(tokens.slice(1, i, i + 1).copy(), cache);
      EXPECT_TRUE(same_bits(one, all.slice(1, i, i + 1).copy())) << i;
    }
    double worst = 0;
    for (Index i = 0; i < exact.size(); ++i)
      worst = std::max(worst, double(std::abs(all.data()[i] - exact.data()[i])));
    EXPECT_GT(worst, 0);
    EXPECT_LT(worst, 0.02) << to_string(storage);
  }
}

TEST(StoredCache, OfAWindowForgetsWithoutChangingABit) {
  auto options = llama_options();
  options.sliding_window = 50;
  attn::Random random{8};
  const attn::LanguageModel<float> model(options, random);
  const Tensor<Index, 2> tokens = some_tokens(1, 910);
  for (const Storage storage : cache_storages) {
    auto kept = model.encoder.cache(1, 1000, {.storage = storage});
    auto window = model.cache(1, 1000, storage);
    for (Index i = 0; i < 910; i += 130) {
      const auto x = model.embedding(tokens.slice(1, i, i + 130).copy());
      const attn::SlidingWindow rule{.left = 49, .right = 0, .align = attn::Align::lower_right};
      const Tensor<float, 3> y = model.encoder.step(x, kept, rule);
      const Tensor<float, 3> logits = model.step(tokens.slice(1, i, i + 130).copy(), window);
      const std::optional<attn::Parameter<float, 1>> no_bias;
      EXPECT_TRUE(same_bits(
          attn::apply(attn::LinearMap{}, y, weight_rows(model.embedding.weight), no_bias), logits))
          << i;
    }
    EXPECT_GT(window.layers.layers[0].first(0), 0);
  }
}

TEST(StoredCache, SequencesAreJoinedAndSelected) {
  attn::Random random{10};
  const attn::LanguageModel<float> model(llama_options(), random);
  const Tensor<Index, 2> tokens = some_tokens(2, 20);
  for (const Storage storage : cache_storages) {
    auto one = model.cache(1, 40, storage), two = model.cache(1, 40, storage);
    model.step(tokens.slice(0, 0, 1).slice(1, 0, 5).copy(), one);
    model.step(tokens.slice(0, 1, 2).copy(), two);
    auto both = attn::LanguageModelCache<float>::join({one, two});
    both.select({1, 0});
    Tensor<Index, 2> next({2, 1});
    next(0, 0) = 3;
    next(1, 0) = 4;
    const Tensor<float, 3> together = model.step(next, both);
    EXPECT_TRUE(
        same_bits(together.slice(0, 0, 1).copy(), model.step(next.slice(0, 0, 1).copy(), two)));
    EXPECT_TRUE(
        same_bits(together.slice(0, 1, 2).copy(), model.step(next.slice(0, 1, 2).copy(), one)));
  }
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attn::LanguageModelCache<float>::join(
                  {model.cache(1, 40), model.cache(1, 40, Storage::int8)});
            }),
            "KeyValueCache: join must have caches of equal widths, capacity, window and storage");
}

TEST(StoredCache, OfAStorageForWeightsAloneIsASentence) {
  const attn::LanguageModel<float> model(llama_options());
  for (const Storage storage : {Storage::float32, Storage::int4})
    EXPECT_EQ(
        sentence_of<attn::OptionError>([&] { model.cache(1, 10, storage); }),
        "KeyValueCache: storage = " + to_string(storage) + " must be bfloat16, float16 or int8");
}

void expect_no_allocations(const attn::LanguageModel<float>& model) {
  auto cache = model.cache(1, 300, Storage::float16);
  Tensor<float, 3> logits({1, 1, 61});
  model.step(some_tokens(1, 200), cache);
  for (Index i = 0; i < 6; ++i) {
    Tensor<Index, 2> one({1, 1});
    one(0, 0) = i;
    const std::size_t before = allocations;
    model.step_into(logits, one, cache);
    EXPECT_TRUE(i < 2 || allocations == before) << "step " << i;
  }
}
TEST(StoredCache, AStepAllocatesNothingAfterTheFirst) {
  attn::Random random{11};
  attn::LanguageModel<float> model(llama_options(), random);
  model.store_weights(Storage::int4);
  expect_no_allocations(model);
  model.round_activations(Storage::int8);
  expect_no_allocations(model);
}

}  // namespace
