#include <gmock/gmock.h>

#include <attn/mpi/checkpoint.hpp>
#include <attn/train/adam.hpp>

#include "mpi/data_parallel_model.hpp"
#include "mpi/ranks.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace {

using attn::Index;
using attn::mpi::Replicas;
using attn::mpi::Sharded;
using attn::mpi::World;

/// A run of twelve parts on the ranks of a world.
template <class T>
struct TrainingRun {
  const World& world;
  attn::Random random{7};
  PartlyUsedModel<T> model{random};
  Replicas<T> replicas{world, model.parameters(), {.parts = 12}};
  Sharded<attn::Adam<T>> adam{replicas, {.beta2 = 0.98}};
  attn::MovingAverage<T> average{model.parameters()};
  Index step = 0;

  void train(Index steps) {
    for (Index end = step + steps; step < end;) {
      ++step;
      replicas.backward(random,
                        [&](Index part, auto& tape) { return model.loss(step, part, tape); });
      adam.step(1e-2);
      average.update();
    }
  }
  auto checkpoint() { return attn::mpi::Checkpoint{world, model, adam, average, random, step}; }
};

/// A folder that all ranks share.
struct SharedFolder {
  std::optional<TemporaryFolder> folder;
  std::string path;
  SharedFolder() {
    if (ranks().rank() == 0) path = folder.emplace().path.string();
    path.resize(1000);
    attn::mpi::broadcast(ranks(), std::span(path), 0);
    path.resize(path.find('\0'));
  }
  ~SharedFolder() { ranks().any(false); }  // until all ranks are here
  std::filesystem::path operator/(const std::string& name) const {
    return std::filesystem::path(path) / name;
  }
};

/// The first `size` ranks, or nothing on the others.
std::optional<World> first_ranks(Index size) {
  World world = ranks().split(ranks().rank() < size ? 0 : 1);
  if (ranks().rank() >= size) return std::nullopt;
  return world;
}

template <class T>
class MpiCheckpoint : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MpiCheckpoint, Scalars);

TYPED_TEST(MpiCheckpoint, IsWhatOneProcessWritesAndLoads) {
  using T = TypeParam;
  const SharedFolder folder;
  TrainingRun<T> run{ranks()};
  run.train(3);
  attn::mpi::save_checkpoint(folder / "several", run.checkpoint());
  if (ranks().rank() == 0) {
    attn::Random random;
    PartlyUsedModel<T> model(random);
    attn::Adam<T> adam(model.parameters(), {.beta2 = 0.98});
    attn::MovingAverage<T> average(model.parameters());
    Index step = 0;
    const attn::Checkpoint one{model, adam, average, random, step};
    attn::load_checkpoint(folder / "several", one);
    EXPECT_TRUE(same_bits(numbers_of(model), numbers_of(run.model)));
    EXPECT_EQ(step, 3);
    attn::save_checkpoint(folder / "one", one);
    EXPECT_TRUE(content(folder / "one") == content(folder / "several"));

    const World alone = ranks().self();
    TrainingRun<T> single{alone};
    single.train(3);
    attn::mpi::save_checkpoint(folder / "alone", single.checkpoint());
    EXPECT_TRUE(content(folder / "alone") == content(folder / "several"));
  }
}

/// Written on n ranks and resumed on m, for all n and m that there are ranks for.
TYPED_TEST(MpiCheckpoint, ResumesOnAnyNumberOfRanks) {
  using T = TypeParam;
  const SharedFolder folder;
  const World alone = ranks().self();
  TrainingRun<T> unbroken{alone};
  unbroken.train(3);
  const std::vector<T> after_3 = numbers_of(unbroken.model);
  unbroken.train(2);
  for (Index n = 1; n <= ranks().size(); ++n) {
    if (const auto world = first_ranks(n); world && 12 % n == 0) {
      TrainingRun<T> run{*world};
      run.train(3);
      attn::mpi::save_checkpoint(folder / std::to_string(n), run.checkpoint());
    }
    ranks().any(false);  // until the file is there
    for (Index m = 1; m <= ranks().size(); ++m) {
      const auto world = first_ranks(m);
      if (!world || 12 % m != 0) continue;
      TrainingRun<T> run{*world};
      ASSERT_TRUE(attn::mpi::load_if_there(folder / std::to_string(n), run.checkpoint()));
      EXPECT_TRUE(same_bits(numbers_of(run.model), after_3)) << n << " to " << m;
      run.train(2);
      EXPECT_TRUE(same_bits(numbers_of(run.model), numbers_of(unbroken.model))) << n << " to " << m;
      EXPECT_EQ(run.random.counter, unbroken.random.counter);
    }
  }
}

/// The sentence of an exception of rank 0 that all ranks throw.
std::string of_rank_0(const std::string& sentence) {
  if (ranks().size() == 1) return sentence;
  return "rank 0 of " + std::to_string(ranks().size()) + ": " + sentence;
}

TEST(MpiCheckpointErrors, AreThoseOfOneProcessOnAllRanks) {
  const SharedFolder folder;
  TrainingRun<float> run{ranks()};
  run.train(1);
  const auto checkpoint = run.checkpoint();
  EXPECT_FALSE(attn::mpi::load_if_there(folder / "none", checkpoint));
  EXPECT_THAT(sentence_of<attn::FileError>(
                  [&] { attn::mpi::save_checkpoint(folder / "no folder/file", checkpoint); }),
              testing::StartsWith(of_rank_0("save_checkpoint: cannot write \"")));
  EXPECT_THAT(sentence_of<attn::FileError>(
                  [&] { attn::mpi::load_checkpoint(folder / "none", checkpoint); }),
              testing::StartsWith(of_rank_0("load_safetensors: ")));
  attn::mpi::save_checkpoint(folder / "run", checkpoint);

  TrainingRun<float> other{ranks()};
  Sharded<attn::Adam<float>> adam(other.replicas, {.beta2 = 0.9});
  const std::vector<float> before = numbers_of(other.model);
  const attn::mpi::Checkpoint changed{ranks(),       other.model,  adam,
                                      other.average, other.random, other.step};
  EXPECT_THAT(
      sentence_of<attn::OptionError>([&] { attn::mpi::load_checkpoint(folder / "run", changed); }),
      testing::HasSubstr("Adam has beta2 = 0.9 instead of 0.98 in group 0 (wide.weight, "));
  EXPECT_TRUE(same_bits(numbers_of(other.model), before));
  EXPECT_EQ(other.step, 0);
  attn::mpi::load_checkpoint(folder / "run", changed, attn::ChangedOptions::accept);
  EXPECT_EQ(other.step, 1);

  if (ranks().size() == 1) return;
  other.step += ranks().rank() == 1 ? 1 : 0;
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { attn::mpi::save_checkpoint(folder / "run", changed); }),
      "save_checkpoint: rank 1 of " + std::to_string(ranks().size()) +
          " says step 2, rank 0 says step 1");
}

/// A load that one rank cannot finish changes nothing on any.
TEST(MpiCheckpointErrors, OfOneRankChangeNothingOnAny) {
  if (ranks().size() == 1) return;
  const SharedFolder folder;
  TrainingRun<float> run{ranks()};
  run.train(1);
  attn::mpi::save_checkpoint(folder / "run", run.checkpoint());
  TrainingRun<float> other{ranks()};
  const std::vector<float> before = numbers_of(other.model);
  if (ranks().rank() == 1) other.model.unused.store_weights(attn::Storage::int8);
  const std::string sentence = sentence_of<attn::Error>(
      [&] { attn::mpi::load_checkpoint(folder / "run", other.checkpoint()); });
  EXPECT_THAT(sentence, testing::StartsWith("rank 1 of " + std::to_string(ranks().size())));
  EXPECT_EQ(other.step, 0);
  if (ranks().rank() == 1) return;
  EXPECT_TRUE(same_bits(numbers_of(other.model), before));
}

}  // namespace
