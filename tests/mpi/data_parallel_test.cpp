#include <gmock/gmock.h>

#include <attn/mpi/sharded.hpp>
#include <attn/train/adamw.hpp>
#include <attn/train/sgd.hpp>
#include <new>

#include "mpi/data_parallel_model.hpp"
#include "mpi/ranks.hpp"
#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::mpi::Replicas;
using attn::mpi::Sharded;
using attn::mpi::World;

template <class T>
class DataParallel : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DataParallel, Scalars);

struct Trained {
  std::vector<double> losses, norms;
  attn::Random random;
};

/// The parameters after some steps with an optimizer that `make(replicas)` gives.
template <class T, class Make>
std::vector<T> trained(const World& world, Index parts, const Make& make, Trained* log = nullptr) {
  attn::Random random{3};
  PartlyUsedModel<T> model(random);
  Replicas replicas(world, model.parameters(), {.parts = parts});
  auto optimizer = make(replicas);
  for (Index step = 1; step <= 3; ++step) {
    const double loss = replicas.backward(
        random, [&](Index part, auto& tape) { return model.loss(step, part, tape); });
    const double norm = optimizer.clip_gradient_norm(0.01);
    optimizer.step(1e-2);
    if (!log) continue;
    log->losses.push_back(loss);
    log->norms.push_back(norm);
    log->random = random;
  }
  return numbers_of(model);
}

template <class T, class Make>
void expect_any_number_of_ranks(const Make& make) {
  Trained all;
  const std::vector<T> together = trained<T>(ranks(), 12, make, &all);
  std::vector<T> of_rank_0 = together;
  attn::mpi::broadcast(ranks(), std::span(of_rank_0), 0);
  EXPECT_TRUE(same_bits(together, of_rank_0));
  if (ranks().rank() != 0) return;
  Trained one;
  EXPECT_TRUE(same_bits(trained<T>(ranks().self(), 12, make, &one), together));
  EXPECT_TRUE(same_bits(all.losses, one.losses));
  EXPECT_TRUE(same_bits(all.norms, one.norms));
  EXPECT_EQ(all.random.seed, one.random.seed);
  EXPECT_EQ(all.random.counter, one.random.counter);
}

TYPED_TEST(DataParallel, TrainsBitwiseIdenticallyWithAdam) {
  expect_any_number_of_ranks<TypeParam>(
      [](auto& replicas) { return Sharded<attn::Adam<TypeParam>>(replicas, {.beta2 = 0.98}); });
}
TYPED_TEST(DataParallel, TrainsBitwiseIdenticallyWithGroupsOfAdamW) {
  expect_any_number_of_ranks<TypeParam>([](auto& replicas) {
    const auto [matrices, vectors] = attn::split_by_axes(replicas.shards());
    Sharded<attn::AdamW<TypeParam>> adamw(replicas, matrices, {.weight_decay = 0.1});
    adamw.add_group(vectors, {.weight_decay = 0, .lr_factor = 0.5});
    return adamw;
  });
}
TYPED_TEST(DataParallel, TrainsBitwiseIdenticallyWithMomentum) {
  expect_any_number_of_ranks<TypeParam>([](auto& replicas) {
    return Sharded<attn::Sgd<TypeParam>>(replicas, {.momentum = 0.9, .nesterov = true});
  });
}

TYPED_TEST(DataParallel, DependsOnTheNumberOfParts) {
  using T = TypeParam;
  const auto make = [](auto& replicas) { return Sharded<attn::Sgd<T>>(replicas); };
  const std::vector<T> of_12 = trained<T>(ranks(), 12, make);
  EXPECT_FALSE(same_bits(trained<T>(ranks(), 24, make), of_12));
}

TYPED_TEST(DataParallel, OfOnePartIsTrainingInOneProcess) {
  using T = TypeParam;
  attn::Random random{3};
  PartlyUsedModel<T> model(random);
  attn::Adam<T> adam(model.parameters());
  for (Index step = 1; step <= 3; ++step) {
    attn::Tape<T> tape{random};
    const auto loss = model.loss(step, 0, tape);
    adam.zero_grad();
    tape.backward(loss);
    attn::clip_gradient_norm(model.parameters(), 0.01);
    adam.step(1e-2);
  }
  Trained log;
  const auto make = [](auto& replicas) { return Sharded<attn::Adam<T>>(replicas); };
  EXPECT_TRUE(same_bits(trained<T>(ranks().self(), 1, make, &log), numbers_of(model)));
  EXPECT_EQ(log.random.counter, random.counter);
}

/// The gradients and losses of every part, computed one by one, and their mean.
TYPED_TEST(DataParallel, GradientIsTheMeanOverTheParts) {
  using T = TypeParam;
  attn::Random random{3};
  PartlyUsedModel<T> model(random);
  const auto parameters = model.parameters();
  std::vector<double> mean;
  double mean_loss = 0;
  for (Index part = 0; part < 12; ++part) {
    for (const auto& p : parameters) p.grad.clear();
    attn::Tape<T> tape;
    const auto loss = model.loss(1, part, tape);
    tape.backward(loss);
    mean_loss += static_cast<double>(loss.value()(0)) / 12;
    std::size_t at = 0;
    for (const auto& p : parameters)
      for (const T g : p.grad.values()) {
        mean.resize(std::max(mean.size(), at + 1));
        mean[at++] += static_cast<double>(g) / 12;
      }
  }
  model.dropout.p = 0;
  Replicas replicas(ranks(), parameters, {.parts = 12});
  const double loss =
      replicas.backward(random, [&](Index part, auto& tape) { return model.loss(1, part, tape); });
  EXPECT_NEAR(loss, mean_loss, 1e-6);
  for (const auto& p : parameters) EXPECT_TRUE(p.grad.empty()) << p.name;

  replicas.gather_gradients();
  EXPECT_TRUE(model.parameters().back().grad.empty());  // no part used it
  std::size_t at = 0;
  for (const auto& p : parameters)
    for (const T g : p.grad.values()) ASSERT_NEAR(g, mean[at++], 1e-7) << p.name;
  EXPECT_EQ(at, mean.size());
  Sharded<attn::Adam<T>> adam(replicas);
  EXPECT_EQ(adam.clip_gradient_norm(1e9), attn::gradient_norm(model.parameters()));
}

TEST(Replicas, TakeTheValuesOfRankZero) {
  attn::Random random{static_cast<std::uint64_t>(ranks().rank())};
  PartlyUsedModel<float> model(random);
  attn::Random of_rank_0{0};
  const PartlyUsedModel<float> wanted(of_rank_0);
  const Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  EXPECT_TRUE(same_bits(numbers_of(model), numbers_of(wanted)));
}

/// The norm over many chunks is summed in their order, whatever rank has them.
TEST(Sharded, ClipsByTheNormOfOneProcess) {
  SmallModel<float> model(60000);
  Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  Sharded<attn::Sgd<float>> sgd(replicas);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    attn::Random random{seed};
    replicas.backward(random, [&](Index part, auto& tape) {
      attn::Tensor<float, 2> factor({60000, 5});
      attn::Random{100 * seed + static_cast<std::uint64_t>(part)}.uniform(factor, -1, 1);
      return attn::sum(tape.parameter(model.weight) * factor);
    });
    replicas.gather_gradients();
    const double norm = attn::clip_gradient_norm(model.parameters(), 0.5);
    EXPECT_EQ(sgd.clip_gradient_norm(0.5), norm);
    const auto clipped = model.weight.gradient().sum();
    replicas.gather_gradients();
    EXPECT_TRUE(model.weight.gradient().sum() == clipped);
    EXPECT_NE(sgd.clip_gradient_norm(0.5), norm);
  }
}

/// The sentence of an exception of rank r that all ranks throw.
std::string of_rank(Index r, const std::string& sentence) {
  if (ranks().size() == 1) return sentence;
  return "rank " + std::to_string(r) + " of " + std::to_string(ranks().size()) + ": " + sentence;
}

TEST(Replicas, RefusePartsThatTheRanksDoNotDivide) {
  SmallModel<float> model;
  const Index parts = ranks().size() == 1 ? 0 : 2 * ranks().size() + 1;
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { Replicas(ranks(), model.parameters(), {.parts = parts}); }),
            of_rank(0, "Replicas: parts = " + std::to_string(parts) +
                           " must be at least 1 and a multiple of the number of ranks, " +
                           std::to_string(ranks().size())));
}
TEST(Replicas, RefuseAParameterThatIsGivenTwice) {
  SmallModel<float> model;
  auto parameters = model.parameters();
  parameters.push_back(parameters[1]);
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { Replicas(ranks(), parameters, {.parts = 12}); }),
            of_rank(0, "Replicas: the parameter bias must be given once, but it is given twice"));
}
TEST(Replicas, RefuseOtherShapesOnARank) {
  if (ranks().size() == 1) return;
  SmallModel<float> model(ranks().rank() == 1 ? 8 : 7);
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { Replicas(ranks(), model.parameters(), {.parts = 12}); }),
      "Replicas: rank 1 of " + std::to_string(ranks().size()) +
          " says weight float (8, 5), rank 0 says weight float (7, 5)");
}

/// What a rank throws in the loss of a part is thrown on all ranks, and the next pass is as if
/// nothing had been.
TEST(Replicas, ContinueAfterALossThatThrows) {
  attn::Random random{3};
  PartlyUsedModel<float> model(random);
  Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  Sharded<attn::Adam<float>> adam(replicas);
  const attn::Random before = random;
  for (const Index bad : {0, 5, 11}) {
    const auto loss = [&](Index part, auto& tape) {
      if (part == bad) throw attn::OptionError("part " + std::to_string(part));
      return model.loss(1, part, tape);
    };
    EXPECT_EQ(sentence_of<attn::OptionError>([&] { replicas.backward(random, loss); }),
              of_rank(bad * ranks().size() / 12, "part " + std::to_string(bad)));
    EXPECT_EQ(random.counter, before.counter);
    for (const auto& p : model.parameters()) EXPECT_TRUE(p.grad.empty());
    EXPECT_EQ(sentence_of<attn::Error>([&] { adam.step(1e-2); }),
              of_rank(0,
                      "Sharded: step needs gradients of Replicas::backward, which has not run "
                      "since the last step"));
  }
  const auto make = [](auto& of) { return Sharded<attn::Adam<float>>(of); };
  for (Index step = 1; step <= 3; ++step) {
    replicas.backward(random, [&](Index part, auto& tape) { return model.loss(step, part, tape); });
    adam.clip_gradient_norm(0.01);
    adam.step(1e-2);
  }
  EXPECT_TRUE(same_bits(numbers_of(model), trained<float>(ranks(), 12, make)));
}

TEST(Sharded, RefusesAStepWithoutNewGradients) {
  attn::Random random{3};
  PartlyUsedModel<float> model(random);
  Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  Sharded<attn::Adam<float>> adam(replicas);
  const std::string needs =
      " needs gradients of Replicas::backward, which has not run since the last step";
  const auto refuses = [&] {
    EXPECT_EQ(sentence_of<attn::Error>([&] { adam.step(1e-2); }),
              of_rank(0, "Sharded: step" + needs));
    EXPECT_EQ(sentence_of<attn::Error>([&] { adam.clip_gradient_norm(1); }),
              of_rank(0, "Sharded: clip_gradient_norm" + needs));
  };
  refuses();
  replicas.backward(random, [&](Index part, auto& tape) { return model.loss(1, part, tape); });
  adam.step(1e-2);
  refuses();
}
TEST(Sharded, RefusesOptionsThatAreWrongOrDiffer) {
  attn::Random random{3};
  PartlyUsedModel<float> model(random);
  Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  using Adam = Sharded<attn::Adam<float>>;
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { Adam(replicas, {.beta1 = 1}); }),
            of_rank(0, "Adam: beta1 = 1 must be at least 0 and below 1"));
  if (ranks().size() == 1) return;
  const double mine = ranks().rank() == 1 ? 0.5 : 0.25;
  const std::string who = "rank 1 of " + std::to_string(ranks().size());
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { Adam(replicas, {.beta1 = mine}); }),
            "Sharded: " + who + " says beta1 0.5, rank 0 says beta1 0.25");
  Adam adam(replicas);
  replicas.backward(random, [&](Index part, auto& tape) { return model.loss(1, part, tape); });
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { adam.step(mine); }),
            "Sharded::step: " + who + " says lr 0.5, rank 0 says lr 0.25");
}

/// A rank has its share of the optimizer's state, to a chunk.
TEST(Sharded, KeepsAShardOfTheState) {
  attn::Random random{3};
  PartlyUsedModel<float> model(random);
  Replicas replicas(ranks(), model.parameters(), {.parts = 12});
  Sharded<attn::Adam<float>> adam(replicas);
  replicas.backward(random, [&](Index part, auto& tape) { return model.loss(1, part, tape); });
  adam.step(1e-2);
  Index here = 0;
  adam.visit_shards([&]<class U>(const auto&, const auto&, std::span<const U> values, const auto&) {
    if constexpr (std::same_as<U, float>) here += std::ssize(values);
  });
  EXPECT_LE(here, 2 * (model.num_parameters() / ranks().size() + attn::detail::chunk_size));
  EXPECT_GT(here, 0);
}

}  // namespace
