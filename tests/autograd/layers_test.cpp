#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train/gradient_check.hpp>

#include "support/modern_layer.hpp"
#include "support/tensors.hpp"

// Every layer against finite differences in double, and in float against double.
namespace {

using attn::Index, attn::Tensor;

constexpr double bound = 1e-7;

template <class Layer, class... X>
double check(Layer& layer, const attn::GradientCheckOptions& options, const X&... x) {
  return attn::gradient_check([&](const auto&... v) { return layer(v...); }, layer.parameters(),
                              options, x...)
      .relative();
}

TEST(Gradients, OfLinearAndNorms) {
  attn::Random random{3};
  for (const auto& [rows, in, out] :
       std::vector<std::array<Index, 3>>{{1, 1, 1}, {3, 2, 0}, {7, 5, 3}, {67, 20, 33}}) {
    attn::Linear<double> layer({.in_features = in, .out_features = out}, random),
        bare({.in_features = in, .out_features = out, .bias = false}, random);
    EXPECT_LT(check(layer, {}, normal<double, 2>(random, {rows, in})), bound);
    EXPECT_LT(check(bare, {}, normal<double, 2>(random, {rows, in})), bound);
    attn::LayerNorm<double> norm({.normalized_shape = in, .eps = 0.1}),
        without({.normalized_shape = in, .eps = 0.1, .bias = false});
    attn::RMSNorm<double> rms({.normalized_shape = in, .eps = 0.1});
    random.normal(norm.weight.edit());
    random.normal(norm.bias->edit());
    random.normal(without.weight.edit());
    random.normal(rms.weight.edit());
    EXPECT_LT(check(norm, {}, normal<double, 3>(random, {2, rows, in})), bound);
    EXPECT_LT(check(without, {}, normal<double, 3>(random, {2, rows, in})), bound);
    EXPECT_LT(check(rms, {}, normal<double, 3>(random, {2, rows, in})), bound);
  }
}

TEST(Gradients, OfEmbeddingsAndPositions) {
  attn::Random random{4};
  attn::Embedding<double> embedding({.num_embeddings = 6, .embedding_dim = 5}, random);
  attn::LearnedPosition<double> position({.max_length = 9, .d_model = 5}, random);
  Tensor<Index, 2> ids({3, 4});
  for (Index i = 0; i < ids.size(); ++i)
    ids.data()[i] = random.index(5);  // some more than once, the last never
  const auto report = attn::gradient_check(
      [&](attn::Tape<double>& tape) { return embedding(tape, ids); }, embedding.parameters(), {});
  EXPECT_LT(report.relative(), bound);
  EXPECT_GT(report.largest, 1);
  EXPECT_LT(attn::gradient_check(
                [&](attn::Tape<double>& tape, const auto& x) {
                  return position.add_to(x + position(tape, 4, 2), 3);
                },
                position.parameters(), {}, normal<double, 3>(random, {3, 4, 5}))
                .relative(),
            bound);
}

TEST(Gradients, OfMultiHeadAttention) {
  attn::Random random{9};
  attn::MultiHeadAttention<double> same({.embed_dim = 12, .num_heads = 4, .num_kv_heads = 2},
                                        random);
  attn::MultiHeadAttention<double> other(
      {.embed_dim = 12, .num_heads = 3, .kdim = 5, .vdim = 7, .bias = false, .d_k = 6, .d_v = 2},
      random);
  attn::MultiHeadAttention<double> drops({.embed_dim = 12, .num_heads = 3, .dropout = 0.3}, random);
  const auto x = normal<double, 3>(random, {2, 6, 12});
  const auto self = [](auto& layer) {
    return [&layer](const auto& a) { return layer(a, a, a, attn::Causal{}); };
  };
  EXPECT_LT(attn::gradient_check(self(same), same.parameters(), {}, x).relative(), bound);
  EXPECT_LT(attn::gradient_check(self(drops), drops.parameters(), {.dropout = attn::Random{4}}, x)
                .relative(),
            bound);
  EXPECT_LT(check(other, {}, x, normal<double, 3>(random, {2, 9, 5}),
                  normal<double, 3>(random, {2, 9, 7})),
            bound);
  EXPECT_LT(check(other, {}, normal<double, 2>(random, {6, 12}), normal<double, 2>(random, {9, 5}),
                  normal<double, 2>(random, {9, 7})),
            bound);
}

/// Checks the gradients of an encoder and a decoder with dropout. The rules are those of the
/// encoder, and of the decoder's attention to its memory; its other rule is Causal{}.
template <class R, class RM>
void check_stacks(const attn::TransformerStackOptions& options, attn::Random& random, const R& rule,
                  const RM& memory_rule) {
  attn::TransformerEncoder<double> encoder(options, random);
  attn::TransformerDecoder<double> decoder(options, random);
  const Index D = options.layer.d_model;
  const auto src = normal<double, 3>(random, {2, 5, D}),
             memory = normal<double, 3>(random, {2, 4, D});
  const attn::GradientCheckOptions some{.samples = 12, .dropout = attn::Random{6}};
  EXPECT_LT(attn::gradient_check([&](const auto& x) { return encoder(x, rule); },
                                 encoder.parameters(), some, src)
                .relative(),
            bound);
  EXPECT_LT(
      attn::gradient_check(
          [&](const auto& x, const auto& m) { return decoder(x, m, attn::Causal{}, memory_rule); },
          decoder.parameters(), some, src, memory)
          .relative(),
      bound);
}

TEST(Gradients, OfStacksWithRotaryPositionsAndNormsOfQueriesAndKeys) {
  attn::Random random{12};
  for (const bool norm_first : {false, true})
    check_stacks({.layer = modern_layer(norm_first), .num_layers = 2, .final_norm = norm_first},
                 random, attn::Causal{}, attn::NoMask{});
}

TEST(Gradients, OfStacksForEveryActivation) {
  attn::Random random{10};
  for (const auto activation :
       {attn::Activation::relu, attn::Activation::gelu, attn::Activation::gelu_tanh,
        attn::Activation::silu, attn::Activation::swiglu})
    for (const bool norm_first : {false, true})
      check_stacks({.layer = {.d_model = 8,
                              .nhead = 2,
                              .dim_feedforward = 12,
                              .dropout = 0.1,
                              .activation = activation,
                              .norm_first = norm_first},
                    .num_layers = 2,
                    .final_norm = norm_first},
                   random, attn::Padding{{5, 3}}, attn::Padding{{4, 2}});
}

template <class T>
attn::Transformer<T> make_model(bool tied, attn::PositionEncoding positions) {
  attn::Random random{11};
  return attn::Transformer<T>({.source_vocabulary = 11,
                               .target_vocabulary = 11,
                               .layer = {.d_model = 8,
                                         .nhead = 2,
                                         .dim_feedforward = 12,
                                         .dropout = 0.2,
                                         .activation = attn::Activation::gelu},
                               .num_encoder_layers = 2,
                               .num_decoder_layers = 2,
                               .share_embeddings = tied,
                               .tie_embeddings = tied,
                               .positions = positions},
                              random);
}
template <class T>
auto loss_of(attn::Transformer<T>& model) {
  return [&model](attn::Tape<T>& tape) {
    attn::Random random{12};
    Tensor<Index, 2> source({2, 6}), target({2, 5});
    for (auto* ids : {&source, &target})
      for (Index i = 0; i < ids->size(); ++i) ids->data()[i] = random.index(11);
    return attn::cross_entropy(model(tape, source, target, attn::Padding{{6, 4}}), target,
                               {.label_smoothing = 0.1});
  };
}

TEST(Gradients, OfTheWholeModel) {
  for (const bool tied : {false, true})
    for (const auto positions :
         {attn::PositionEncoding::sinusoidal, attn::PositionEncoding::learned}) {
      auto model = make_model<double>(tied, positions);
      const auto report = attn::gradient_check(loss_of(model), model.parameters(),
                                               {.samples = 10, .dropout = attn::Random{8}});
      EXPECT_LT(report.relative(), bound) << report;
      EXPECT_GT(report.largest, 1e-3);
    }
}

TEST(Gradients, InFloatAreThoseInDouble) {
  auto in_double = make_model<double>(true, attn::PositionEncoding::learned);
  auto in_float = make_model<float>(true, attn::PositionEncoding::learned);
  in_float.load_state_dict(in_double.state_dict());
  attn::Random draws{13}, same_draws{13};
  attn::Tape<double> tape{draws};
  attn::Tape<float> tape_of_float{same_draws};
  tape.backward(loss_of(in_double)(tape));
  tape_of_float.backward(loss_of(in_float)(tape_of_float));
  const auto wanted = in_double.parameters();
  const auto got = in_float.parameters();
  for (std::size_t p = 0; p < wanted.size(); ++p)
    for (std::size_t i = 0; i < wanted[p].value.size(); ++i) {
      const double x = wanted[p].grad.values()[i];
      ASSERT_NEAR(double(got[p].grad.values()[i]), x, 1e-3 * (1e-2 + std::abs(x)))
          << wanted[p].name << " at " << i;
    }
}

}  // namespace
