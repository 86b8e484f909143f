#include <gtest/gtest.h>

#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/train.hpp>
#include <sstream>

namespace {

using attn::Index, attn::Tensor;

/// The model of tests/data/make_training_cases.py.
template <class T>
struct Model : attn::Module<Model<T>, T> {
  static constexpr const char* kind = "Model";
  attn::TransformerEncoder<T> encoder{{.layer = {.d_model = 8,
                                                 .nhead = 2,
                                                 .dim_feedforward = 12,
                                                 .dropout = 0,
                                                 .activation = attn::Activation::relu},
                                       .num_layers = 2}};
  attn::Linear<T> head{{.in_features = 8, .out_features = 5}};

  template <class Self, class X>
  static auto forward(Self& self, const X& x) {
    return self.head(self.encoder(x));
  }
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("encoder", self.encoder);
    visitor("head", self.head);
  }
};

struct Cases {
  attn::SafeTensors file =
      attn::load_safetensors(std::string(ATTN_TESTS_DATA) + "/training_cases.safetensors");

  double number(const std::string& name) const { return std::stod(file.metadata().at(name)); }
  /// Of "name=value name=value".
  double option(const std::string& optimizer, const std::string& name, double otherwise = 0) const {
    std::istringstream words(file.metadata().at(optimizer));
    for (std::string word; words >> word;)
      if (word.starts_with(name + "=")) return std::stod(word.substr(name.size() + 1));
    return otherwise;
  }
};

/// 20 steps on one batch: losses and norms are within `tolerance` of PyTorch's, parameters within
/// `far`. (The gradient of a key's bias is 0 but for rounding, as softmax does not depend on it.
/// Adam makes a step of full length of that, in float.)
template <class T, class Optimizer>
void train_as_pytorch(const std::string& name, const typename Optimizer::Options& options,
                      double tolerance, double far) {
  const Cases cases;
  Model<T> model;
  model.load_state_dict(cases.file, "initial.");
  std::string order;
  for (const auto& p : model.parameters()) order += (order.empty() ? "" : " ") + p.name;
  EXPECT_EQ(order, cases.file.metadata().at("order"));

  const auto input = cases.file.get<T, 3>("input");
  const auto targets = cases.file.get<Index, 2>("targets");
  const auto losses = cases.file.values<double>(name + ".losses"),
             norms = cases.file.values<double>(name + ".norms");
  const auto values = cases.file.get<double, 2>(name + ".values");
  const attn::CrossEntropyOptions smoothed{.ignore_index = Index(cases.number("ignore_index")),
                                           .label_smoothing = cases.number("label_smoothing")};
  const attn::NoamSchedule rate{.d_model = Index(cases.number("d_model")),
                                .warmup_steps = Index(cases.number("warmup_steps")),
                                .factor = cases.option(name, "factor")};
  Optimizer optimizer(model.parameters(), options);
  ASSERT_EQ(losses.size(), 20u);
  for (Index step = 1; step <= 20; ++step) {
    attn::Tape<T> tape;
    const auto loss = attn::cross_entropy(model(tape.constant(input)), targets, smoothed);
    EXPECT_NEAR(double(loss.value()(0)), losses[std::size_t(step - 1)], tolerance) << step;
    optimizer.zero_grad();
    tape.backward(loss);
    EXPECT_NEAR(attn::clip_gradient_norm(model.parameters(), cases.number("max_norm")),
                norms[std::size_t(step - 1)], 10 * tolerance)
        << step;
    optimizer.step(rate(step));
    double difference = 0;
    Index at = 0;
    for (const auto& p : model.parameters())
      for (const T x : p.value)
        difference = std::max(difference, std::abs(double(x) - values(step - 1, at++)));
    ASSERT_EQ(at, values.shape()[1]);
    EXPECT_LT(difference, far) << step;
  }
}

TEST(Training, WithAdamIsPyTorchsForTwentySteps) {
  const Cases cases;
  const attn::AdamOptions options{.beta2 = cases.option("Adam", "beta2"),
                                  .eps = cases.option("Adam", "eps")};
  train_as_pytorch<double, attn::Adam<double>>("Adam", options, 1e-10, 1e-9);
  train_as_pytorch<float, attn::Adam<float>>("Adam", options, 1e-4, 0.1);
}

TEST(Training, WithAdamWIsPyTorchsForTwentySteps) {
  const Cases cases;
  const attn::AdamWOptions options{.weight_decay = cases.option("AdamW", "weight_decay")};
  train_as_pytorch<double, attn::AdamW<double>>("AdamW", options, 1e-10, 1e-9);
  train_as_pytorch<float, attn::AdamW<float>>("AdamW", options, 1e-4, 0.1);
}

TEST(Training, WithSgdIsPyTorchsForTwentySteps) {
  const Cases cases;
  const attn::SgdOptions options{.momentum = cases.option("SGD", "momentum")};
  train_as_pytorch<double, attn::Sgd<double>>("SGD", options, 1e-10, 1e-9);
  train_as_pytorch<float, attn::Sgd<float>>("SGD", options, 1e-5, 1e-5);
}

/// The mean over three parts of equal size, each on a tape of its own, is the mean over all.
TEST(Training, AccumulatesGradientsOfParts) {
  const Cases cases;
  Model<double> model;
  model.load_state_dict(cases.file, "initial.");
  const auto input = cases.file.get<double, 3>("input");
  Tensor<Index, 2> targets({3, 6});
  for (Index i = 0; i < targets.size(); ++i) targets.data()[i] = i % 5;
  const auto backward = [&](Index from, Index to) {
    attn::Tape<double> tape;
    tape.backward(attn::cross_entropy(model(tape.constant(input.slice(0, from, to).copy())),
                                      targets.slice(0, from, to).copy()));
  };
  const auto gradients = [&] {
    std::vector<double> all;
    for (const auto& p : model.parameters()) {
      const auto g = p.grad.values();
      all.insert(all.end(), g.begin(), g.end());
      p.grad.clear();
    }
    return all;
  };
  backward(0, 3);
  const std::vector<double> whole = gradients();
  for (Index part = 0; part < 3; ++part) backward(part, part + 1);
  attn::scale_gradients(model.parameters(), 1.0 / 3);
  const std::vector<double> sum = gradients();
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(sum[i], whole[i], 1e-14) << i;
}

}  // namespace
