#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <attn/io/checkpoint.hpp>
#include <attn/train/adamw.hpp>
#include <attn/train/gradients.hpp>
#include <attn/train/schedule.hpp>
#include <attn/train/sgd.hpp>

#include "support/expect_error.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

namespace {

using attn::Index;

/// A training run with random gradients.
template <class T, class Optimizer = attn::AdamW<T>>
struct Run {
  attn::Random random{11};
  SmallModel<T> model{random};
  Optimizer optimizer{model.parameters()};
  attn::MovingAverage<T> average{model.parameters(), {.decay = 0.9}};
  Index step = 0;

  auto checkpoint() { return attn::Checkpoint{model, optimizer, average, random, step}; }
  void go(Index steps) {
    const attn::NoamSchedule rate{.d_model = 16, .warmup_steps = 5};
    for (Index i = 0; i < steps; ++i) {
      optimizer.zero_grad();
      draw_gradients(model.parameters(), random);
      if (step < 6) model.inner.bias.gradient().clear();  // it has fewer steps, and at first none
      attn::clip_gradient_norm(model.parameters(), 2);
      optimizer.step(rate(++step));
      average.update();
    }
  }
  /// The whole state of the run, as values that can be compared.
  auto state() {
    std::vector<T> all = numbers_of(model),
                   averages = average.evaluate([&] { return numbers_of(model); });
    all.insert(all.end(), averages.begin(), averages.end());
    const auto optimizer_state = optimizer.state_dict();
    for (const std::string& name : optimizer_state.names()) {
      const auto values = optimizer_state.values(name);
      all.insert(all.end(), values.begin(), values.end());
    }
    return std::tuple(all, random.seed, random.counter, step);
  }
};

template <class T>
struct Checkpoints : testing::Test {
  TemporaryFolder folder;
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Checkpoints, Scalars);

TYPED_TEST(Checkpoints, AResumedRunIsBitwiseIdenticalToOneThatWasNotStopped) {
  using T = TypeParam;
  Run<T> straight;
  straight.go(9);
  for (const Index stop : {0, 1, 4, 7}) {
    Run<T> first;
    first.go(stop);
    attn::save_checkpoint(this->folder / "run", first.checkpoint());
    Run<T> second;
    second.random = attn::Random{99};
    second.go(3);  // its state before does not matter
    attn::load_checkpoint(this->folder / "run", second.checkpoint());
    EXPECT_EQ(second.state(), first.state()) << stop;
    second.go(9 - stop);
    EXPECT_EQ(second.state(), straight.state()) << stop;
  }
  EXPECT_EQ(this->folder.count(), 1);
}

TYPED_TEST(Checkpoints, KeepTheGeneratorAndTheStepExactly) {
  using T = TypeParam;
  SmallModel<T> model;
  attn::Random random{0xFEDCBA9876543210u, 0x8000000000000001u}, other;
  constexpr std::int64_t exact = (std::int64_t{1} << 53) - 1;
  Index step = static_cast<Index>(std::min<std::int64_t>(exact, std::numeric_limits<Index>::max()));
  Index another = 0;
  attn::save_checkpoint(this->folder / "run", attn::Checkpoint{model, random, step});
  attn::load_checkpoint(this->folder / "run", attn::Checkpoint{model, another, other});
  EXPECT_EQ(other.seed, 0xFEDCBA9876543210u);
  EXPECT_EQ(other.counter, 0x8000000000000001u);
  EXPECT_EQ(another, step);
}

TYPED_TEST(Checkpoints, AreSafetensorsFilesWithNamedEntries) {
  using T = TypeParam;
  Run<T> run;
  run.go(2);
  const SmallModel<T>& model = run.model;  // a const model can be saved
  attn::save_checkpoint(this->folder / "run",
                        attn::Checkpoint{model, run.optimizer, run.random, run.step});
  const attn::SafeTensors file = attn::load_safetensors(this->folder / "run");
  EXPECT_EQ(file.names(),
            (std::vector<std::string>{
                "model.bias", "model.inner.bias", "model.inner.weight", "model.weight",
                "optimizer.bias.exp_avg", "optimizer.bias.exp_avg_sq", "optimizer.bias.step",
                "optimizer.inner.bias.step", "optimizer.inner.weight.exp_avg",
                "optimizer.inner.weight.exp_avg_sq", "optimizer.inner.weight.step",
                "optimizer.weight.exp_avg", "optimizer.weight.exp_avg_sq", "optimizer.weight.step",
                "random", "step"}));
  SmallModel<T> copy;
  copy.load_state_dict(file, "model.");
  EXPECT_TRUE(same_bits(numbers_of(copy), numbers_of(model)));
}

/// Each file is of another run, or no checkpoint; the run stays as it was.
TYPED_TEST(Checkpoints, AreLoadedWholeOrNotAtAll) {
  using T = TypeParam;
  Run<T> run, saved;
  run.go(7);
  saved.go(2);
  const auto before = run.state();
  const auto path = this->folder / "run";
  const std::string numbers = std::is_same_v<T, float> ? "F32" : "F64";
  const std::string where = "load_checkpoint: \"" + path.string() + "\": ";
  const auto load = [&]<class Error>(Error) {
    return sentence_of<Error>([&] { attn::load_checkpoint(path, run.checkpoint()); });
  };
  const auto refused = [&] { return load(attn::FileError("")); };

  attn::save_checkpoint(path, attn::Checkpoint{saved.model, saved.optimizer, saved.step});
  EXPECT_EQ(refused(),
            where + "the file must hold average (MovingAverage), model (SmallModel), numbers (" +
                numbers +
                "), optimizer (AdamW), random (Philox4x32-10), step (number) but holds model "
                "(SmallModel), numbers (" +
                numbers + "), optimizer (AdamW), step (number)");
  Run<T, attn::Adam<T>> other_optimizer;
  attn::save_checkpoint(path, other_optimizer.checkpoint());
  EXPECT_THAT(refused(), testing::HasSubstr("optimizer (Adam)"));
  Run<std::conditional_t<std::is_same_v<T, float>, double, float>> other_numbers;
  attn::save_checkpoint(path, other_numbers.checkpoint());
  EXPECT_THAT(refused(), testing::HasSubstr(
                             "but holds average (MovingAverage), model (SmallModel), numbers (F"));
  attn::save_safetensors(path, saved.model.state_dict());
  EXPECT_THAT(refused(), testing::EndsWith("but holds nothing that a checkpoint says of itself"));
  put(path, "no such file");
  EXPECT_THAT(refused(), testing::StartsWith("load_safetensors: \"" + path.string()));
  std::filesystem::remove(path);
  EXPECT_EQ(refused(),
            "load_safetensors: cannot read \"" + path.string() + "\": No such file or directory");

  SmallModel<T> larger(8);
  attn::AdamW<T> adamw(larger.parameters());
  attn::MovingAverage<T> average(larger.parameters(), {.decay = 0.9});
  attn::save_checkpoint(path, attn::Checkpoint{larger, adamw, average, saved.random, saved.step});
  EXPECT_EQ(load(attn::ShapeError("")),
            where +
                "MovingAverage: the state must have exactly the entries of its parameters; "
                "missing: none; unexpected: none; "
                "misshapen: average.weight (8, 5) instead of (7, 5)");
  EXPECT_EQ(run.state(), before);
}

/// One entry of a good file is changed, each in turn: it is missing, has another shape or type, or
/// there is one more.
TYPED_TEST(Checkpoints, AreRefusedForEveryEntryThatIsWrong) {
  using T = TypeParam;
  Run<T> run, saved;
  run.go(7);
  saved.go(8);
  const auto before = run.state();
  attn::save_checkpoint(this->folder / "good", saved.checkpoint());
  const attn::SafeTensors good = attn::load_safetensors(this->folder / "good");
  const auto path = this->folder / "changed";
  const auto refused = [&](const std::string& what, auto&& change) {
    attn::SafeTensorsWriter writer;
    std::map<std::string, std::vector<T>> numbers;
    std::map<std::string, std::vector<std::int64_t>> counts;
    for (const std::string& name : good.names()) {
      if (change(writer, name)) continue;
      if (good.dtype(name) == attn::Dtype::i64)
        writer.add(
            name, good.shape(name),
            std::span<const std::int64_t>(counts[name] = good.template values<std::int64_t>(name)));
      else
        writer.add(name, good.shape(name),
                   std::span<const T>(numbers[name] = good.template values<T>(name)));
    }
    writer.save(path, good.metadata());
    try {
      attn::load_checkpoint(path, run.checkpoint());
      ADD_FAILURE() << what;
    } catch (const attn::Error& error) {
      const bool expected = dynamic_cast<const attn::FileError*>(&error) ||
                            dynamic_cast<const attn::ShapeError*>(&error);
      EXPECT_TRUE(
          expected &&
          std::string(error.what()).starts_with("load_checkpoint: \"" + path.string() + "\": "))
          << what << ": " << error.what();
    }
    EXPECT_EQ(run.state(), before) << what;
  };
  const std::vector<std::int64_t> one{1}, negative{-1};
  const std::vector<T> number{1};
  ASSERT_EQ(good.names().size(), 22u);
  for (const std::string& entry : good.names()) {
    refused(entry + " is missing", [&](auto&, const std::string& name) { return name == entry; });
    refused(entry + " has another shape", [&](auto& writer, const std::string& name) {
      if (name == entry) writer.add(name, {1, 1}, std::span<const std::int64_t>(one));
      return name == entry;
    });
    refused(entry + " has another type", [&](auto& writer, const std::string& name) {
      if (name == entry && good.dtype(name) == attn::Dtype::i64)
        writer.add(name, attn::Tensor<double, 1>({2}));
      else if (name == entry) writer.add(name, attn::Tensor<std::int64_t, 1>({2}));
      return name == entry;
    });
    refused(entry + " is followed by another", [&](auto& writer, const std::string& name) {
      if (name == entry) writer.add(name + "x", {}, std::span<const T>(number));
      return false;
    });
    if (entry.ends_with("step"))
      refused(entry + " is negative", [&](auto& writer, const std::string& name) {
        if (name == entry) writer.add(name, {}, std::span<const std::int64_t>(negative));
        return name == entry;
      });
  }
  attn::load_checkpoint(this->folder / "good", run.checkpoint());
  EXPECT_EQ(run.state(), saved.state());
}

TYPED_TEST(Checkpoints, AreRefusedWhereverTheyAreCutOff) {
  using T = TypeParam;
  Run<T> run, saved;
  run.go(3);
  saved.go(4);
  const auto before = run.state();
  attn::save_checkpoint(this->folder / "run", saved.checkpoint());
  const std::string whole = content(this->folder / "run");
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 300) {
    put(this->folder / "cut", whole.substr(0, size));
    EXPECT_THROW(attn::load_checkpoint(this->folder / "cut", run.checkpoint()), attn::FileError)
        << size;
  }
  EXPECT_EQ(run.state(), before);
}

TYPED_TEST(Checkpoints, CannotBeWrittenWhereThereIsNoFolder) {
  Run<TypeParam> run;
  EXPECT_EQ(sentence_of<attn::FileError>(
                [&] { attn::save_checkpoint(this->folder / "no/run", run.checkpoint()); }),
            "save_checkpoint: cannot write \"" + (this->folder / "no/run").string() +
                "\": No such file or directory");
}

}  // namespace
