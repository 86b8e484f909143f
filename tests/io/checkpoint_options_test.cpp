#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <attn/io/checkpoint.hpp>
#include <attn/train/adamw.hpp>
#include <attn/train/sgd.hpp>

#include "support/expect_error.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

namespace {

using attn::Index;

const std::string accept =
    "; to resume with the program's options, pass attn::ChangedOptions::accept to load_checkpoint";

/// A model and its optimizer, after a step.
template <class Optimizer>
struct OptimizedModel {
  SmallModel<double> model{attn::Random{1}};
  Optimizer optimizer;
  Index step = 1;

  explicit OptimizedModel(const typename Optimizer::Options& options)
      : optimizer(model.parameters(), options) {
    take_step();
  }
  /// With the vectors in a group of their own.
  OptimizedModel(const typename Optimizer::Options& of_matrices,
                 const typename Optimizer::Options& of_vectors) {
    const auto [matrices, vectors] = attn::split_by_axes(model.parameters());
    optimizer.add_group(matrices, of_matrices);
    optimizer.add_group(vectors, of_vectors);
    take_step();
  }
  void take_step() {
    attn::Random random{2};
    draw_gradients(model.parameters(), random);
    optimizer.step(0.1);
  }
  auto checkpoint() { return attn::Checkpoint{model, optimizer, step}; }
  auto state() {
    const auto state = optimizer.state_dict();
    std::vector<double> all = numbers_of(model);
    for (const std::string& name : state.names())
      all.insert(all.end(), state.values(name).begin(), state.values(name).end());
    return all;
  }
};
using AdamRun = OptimizedModel<attn::Adam<double>>;
using SgdRun = OptimizedModel<attn::Sgd<double>>;

struct CheckpointOptions : testing::Test {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "run";

  /// Saves one run and loads it into another, which stays as it is. The differences in the sentence
  /// that refuses it, or the whole sentence if it is of another form.
  template <class Saved, class Other>
  std::string refused(Saved&& saved, Other&& other) {
    attn::save_checkpoint(path, saved.checkpoint());
    return load(other);
  }
  template <class Other>
  std::string load(Other& other) {
    other.take_step();
    const auto before = other.state();
    std::string text =
        sentence_of<attn::OptionError>([&] { attn::load_checkpoint(path, other.checkpoint()); });
    EXPECT_EQ(other.state(), before);
    const std::string begin = "load_checkpoint: \"" + path.string() +
                              "\": the options must be those that the file was saved with, but ";
    if (text.starts_with(begin) && text.ends_with(accept))
      text = text.substr(begin.size(), text.size() - begin.size() - accept.size());
    return text;
  }
};

TEST_F(CheckpointOptions, ThatDifferAreNamedWithBothValues) {
  const std::string group = " in group 0 (weight, bias, inner.weight and 1 more)";
  EXPECT_EQ(refused(AdamRun({}), AdamRun({.beta1 = 0.8})),
            "Adam has beta1 = 0.8 instead of 0.9" + group);
  EXPECT_EQ(refused(AdamRun({.beta2 = 0.98}), AdamRun({})),
            "Adam has beta2 = 0.999 instead of 0.98" + group);
  EXPECT_EQ(refused(AdamRun({.eps = 1e-9}), AdamRun({})),
            "Adam has eps = 1e-08 instead of 1e-09" + group);
  EXPECT_EQ(refused(AdamRun({}), AdamRun({.weight_decay = 0.1})),
            "Adam has weight_decay = 0.1 instead of 0.0" + group);
  EXPECT_EQ(refused(AdamRun({}), AdamRun({.lr_factor = 0.5})),
            "Adam has lr_factor = 0.5 instead of 1.0" + group);
  EXPECT_EQ(refused(SgdRun({.momentum = 0.9}), SgdRun({.momentum = 0.8})),
            "Sgd has momentum = 0.8 instead of 0.9" + group);
  EXPECT_EQ(refused(SgdRun({.momentum = 0.9}), SgdRun({.momentum = 0.9, .dampening = 0.5})),
            "Sgd has dampening = 0.5 instead of 0.0" + group);
  EXPECT_EQ(refused(SgdRun({.momentum = 0.9, .nesterov = true}), SgdRun({.momentum = 0.9})),
            "Sgd has nesterov = false instead of true" + group);
  EXPECT_EQ(refused(SgdRun({.momentum = 0.9}), SgdRun({})),
            "Sgd has momentum = 0.0 instead of 0.9" + group)
      << "whose state is another as well";
  EXPECT_EQ(refused(AdamRun({.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-6}), AdamRun({})),
            "Adam has beta1 = 0.9 instead of 0.8 and beta2 = 0.999 instead of 0.9 and eps = 1e-08 "
            "instead of 1e-06" +
                group);
}

/// The smallest difference that a double has.
TEST_F(CheckpointOptions, AreComparedExactly) {
  const double beta2 = 0.98, next = std::nextafter(beta2, 1);
  EXPECT_EQ(refused(AdamRun({.beta2 = beta2}), AdamRun({.beta2 = next})),
            "Adam has beta2 = 0.9800000000000001 instead of 0.98 in group 0 (weight, bias, "
            "inner.weight and 1 more)");
  for (const double eps : {0.0, 5e-324, 1e-8, 1.0 / 3, 1e300}) {
    AdamRun saved({.eps = eps}), loaded({.eps = eps});
    attn::save_checkpoint(path, saved.checkpoint());
    EXPECT_NO_THROW(attn::load_checkpoint(path, loaded.checkpoint())) << eps;
  }
}

TEST_F(CheckpointOptions, AreComparedForEachParameterGroup) {
  using AdamWRun = OptimizedModel<attn::AdamW<double>>;
  EXPECT_EQ(refused(AdamWRun({.weight_decay = 0.5}, {.weight_decay = 0}), AdamWRun({})),
            "AdamW has weight_decay = 0.01 instead of 0.5 in group 0 (weight, inner.weight), "
            "weight_decay = 0.01 instead of 0.0 in group 0 (bias, inner.bias)");
  EXPECT_EQ(refused(AdamWRun({}), AdamWRun({}, {.weight_decay = 0})),
            "AdamW has weight_decay = 0.0 instead of 0.01 in group 1 (bias, inner.bias)");
  EXPECT_EQ(refused(AdamWRun({.beta1 = 0.5}, {}), AdamWRun({}, {.beta1 = 0.5})),
            "AdamW has beta1 = 0.9 instead of 0.5 in group 0 (weight, inner.weight), beta1 = 0.5 "
            "instead of 0.9 in group 1 (bias, inner.bias)");
  AdamWRun together({}), apart({}, {});
  attn::save_checkpoint(path, together.checkpoint());
  EXPECT_NO_THROW(attn::load_checkpoint(path, apart.checkpoint()))
      << "the same options for each parameter compute the same";
}

TEST_F(CheckpointOptions, OfTheMovingAverageAreComparedToo) {
  SmallModel<double> model;
  attn::Adam<double> adam(model.parameters()), other_adam(model.parameters(), {.beta1 = 0.5});
  attn::MovingAverage<double> average(model.parameters(), {.decay = 0.9}),
      other_average(model.parameters(), {.decay = 0.99});
  attn::save_checkpoint(path, attn::Checkpoint{model, adam, average});
  const std::string where = "load_checkpoint: \"" + path.string() + "\": ";
  const std::string group = " in group 0 (weight, bias, inner.weight and 1 more)";
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              attn::load_checkpoint(path, attn::Checkpoint{model, adam, other_average});
            }),
            where +
                "the options must be those that the file was saved with, but MovingAverage has "
                "decay = 0.99 instead of 0.9" +
                group + accept);
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              attn::load_checkpoint(path, attn::Checkpoint{model, other_adam, other_average});
            }),
            where +
                "the options must be those that the file was saved with, but Adam has beta1 = "
                "0.5 instead of 0.9" +
                group + ", and MovingAverage has decay = 0.99 instead of 0.9" + group + accept);
}

TEST_F(CheckpointOptions, ThatAreMeantToChangeAreAccepted) {
  AdamRun saved({}), loaded({.beta1 = 0.5, .weight_decay = 0.25});
  loaded.take_step();
  attn::save_checkpoint(path, saved.checkpoint());
  attn::load_checkpoint(path, loaded.checkpoint(), attn::ChangedOptions::accept);
  EXPECT_EQ(loaded.state(), saved.state());
  EXPECT_EQ(loaded.optimizer.parameter_groups()[0].options.at("beta1"), attn::OptionValue(0.5))
      << "the program's options hold";
  AdamRun again({.beta1 = 0.5, .weight_decay = 0.25});
  attn::save_checkpoint(path, loaded.checkpoint());
  EXPECT_NO_THROW(attn::load_checkpoint(path, again.checkpoint()));
}

/// The state of an optimizer with momentum is another than that of one without.
TEST_F(CheckpointOptions, ThatChangeTheStateAreNotAccepted) {
  SgdRun saved({.momentum = 0.9}), other({});
  const auto before = other.state();
  attn::save_checkpoint(path, saved.checkpoint());
  EXPECT_THAT(sentence_of<attn::ShapeError>([&] {
                attn::load_checkpoint(path, other.checkpoint(), attn::ChangedOptions::accept);
              }),
              testing::HasSubstr("unexpected: optimizer.bias.momentum_buffer, "));
  EXPECT_EQ(other.state(), before);
}

TEST_F(CheckpointOptions, AreInTheMetadataAsJson) {
  using AdamWRun = OptimizedModel<attn::AdamW<double>>;
  AdamWRun run({.beta2 = 0.98}, {.weight_decay = 0, .lr_factor = 0.25});
  attn::save_checkpoint(path, run.checkpoint());
  EXPECT_EQ(attn::load_safetensors(path).metadata().at("optimizer.groups"),
            R"([{"options":{"beta1":0.9,"beta2":0.98,"eps":1e-08,"lr_factor":1.0,)"
            R"("weight_decay":0.01},"parameters":["weight","inner.weight"]},)"
            R"({"options":{"beta1":0.9,"beta2":0.999,"eps":1e-08,"lr_factor":0.25,)"
            R"("weight_decay":0.0},"parameters":["bias","inner.bias"]}])");
}

/// Saves a run's file anew, with `groups` as its options or, if that is empty, without.
template <class Checkpoint>
void save_with_groups(const std::filesystem::path& path, const Checkpoint& run,
                      const std::string& groups) {
  attn::save_checkpoint(path, run);
  std::optional good = attn::load_safetensors(path);
  auto metadata = good->metadata();
  metadata.erase("optimizer.groups");
  if (!groups.empty()) metadata["optimizer.groups"] = groups;
  attn::SafeTensorsWriter writer;
  std::map<std::string, std::vector<double>> values;
  std::map<std::string, std::vector<std::int64_t>> counts;
  for (const std::string& name : good->names()) {
    if (good->dtype(name) == attn::Dtype::i64) {
      counts[name] = good->values<std::int64_t>(name);
      writer.add(name, good->shape(name), std::span<const std::int64_t>(counts[name]));
    } else {
      values[name] = good->values<double>(name);
      writer.add(name, good->shape(name), std::span<const double>(values[name]));
    }
  }
  good.reset();  // Windows replaces no file that is mapped
  writer.save(path, metadata);
}

/// The files that version 0.1 first wrote.
TEST_F(CheckpointOptions, ThatTheFileDoesNotHaveAreRefusedUnlessAccepted) {
  AdamRun saved({}), loaded({});
  save_with_groups(path, saved.checkpoint(), "");
  EXPECT_EQ(load(loaded), "load_checkpoint: \"" + path.string() +
                              "\": the file must hold the options of Adam, which it was saved "
                              "without" +
                              accept);
  attn::load_checkpoint(path, loaded.checkpoint(), attn::ChangedOptions::accept);
  EXPECT_EQ(loaded.state(), saved.state());
}

TEST_F(CheckpointOptions, ThatAreMissingOrUnknownAreNamed) {
  AdamRun saved({}), loaded({});
  save_with_groups(
      path, saved.checkpoint(),
      R"([{"options":{"beta1":0.9,"beta2":0.999,"eps":1e-8,"lr_factor":1,)"
      R"("amsgrad":true},"parameters":["weight","bias","inner.weight","inner.bias"]}])");
  EXPECT_EQ(load(loaded),
            "Adam has amsgrad = nothing instead of true and weight_decay = 0.0 instead of nothing "
            "in group 0 (weight, bias, inner.weight and 1 more)");
}

TEST_F(CheckpointOptions, ThatAreMalformedAreRefused) {
  AdamRun saved({}), loaded({});
  const auto before = loaded.state();
  const std::string deep(100000, '[');
  for (const std::string& groups :
       {std::string("{}"), std::string("[1]"), std::string("[{}]"),
        std::string("[{\"options\":{}}]"), std::string(R"([{"options":{},"parameters":"weight"}])"),
        std::string(R"([{"options":{},"parameters":[1]}])"),
        std::string(R"([{"options":[],"parameters":[]}])"),
        std::string(R"([{"options":{"eps":"1"},"parameters":[]}])"),
        std::string(R"([{"options":{"eps":null},"parameters":[]}])"),
        std::string(R"([{"options":{"eps":1e999},"parameters":[]}])"), std::string("[{"), deep}) {
    save_with_groups(path, saved.checkpoint(), groups);
    EXPECT_EQ(
        sentence_of<attn::FileError>([&] { attn::load_checkpoint(path, loaded.checkpoint()); }),
        "load_checkpoint: \"" + path.string() +
            "\": optimizer.groups must be a JSON array of groups of parameters and options, "
            "not " +
            attn::in_quotes(groups));
    EXPECT_EQ(loaded.state(), before);
  }
}

}  // namespace
