#include <gtest/gtest.h>

#include <attn/io/safetensors.hpp>
#include <attn/train/adamw.hpp>
#include <attn/train/gradients.hpp>
#include <attn/train/schedule.hpp>
#include <attn/train/sgd.hpp>
#include <sstream>

#include "support/expect_error.hpp"
#include "support/small_model.hpp"

namespace {

using attn::Index;

template <class T>
class Optimizers : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Optimizers, Scalars);

/// The values of "name=value" in a case's description, or a default where there is none.
struct Words {
  std::map<std::string, std::string> words;
  explicit Words(const std::string& text) {
    std::istringstream in(text);
    for (std::string word; in >> word;)
      words[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  }
  double number(const std::string& name, double otherwise) const {
    return words.contains(name) ? std::stod(words.at(name)) : otherwise;
  }
};

/// With PyTorch's gradients at every step, clipped, and the paper's learning rate, the parameters
/// are PyTorch's after every step.
template <class T, class Optimizer>
void follow(const attn::SafeTensors& file, const std::string& name,
            const typename Optimizer::Options& options, double factor) {
  SmallModel<T> model;
  const auto parameters = model.parameters();
  const auto give = [&](const std::vector<double>& from, Index row, auto&& place) {
    std::size_t at = static_cast<std::size_t>(row) * 56;
    for (const auto& p : parameters)
      for (T& to : place(p)) to = static_cast<T>(from[at++]);
  };
  give(file.values<double>("initial"), 0, [](const auto& p) { return p.edit(); });
  const auto gradients = file.values<double>("gradients"),
             values = file.values<double>(name + ".values"), norms = file.values<double>("norms");
  const auto number = [&](const char* entry) { return std::stod(file.metadata().at(entry)); };
  const attn::NoamSchedule rate{.d_model = Index(number("d_model")),
                                .warmup_steps = Index(number("warmup_steps")),
                                .factor = factor};

  Optimizer optimizer(parameters, options);
  double difference = 0;
  ASSERT_EQ(norms.size(), 20u);
  for (Index step = 1; step <= 20; ++step) {
    optimizer.zero_grad();
    give(gradients, step - 1, [](const auto& p) { return p.grad.values(); });
    const double norm = attn::clip_gradient_norm(parameters, number("max_norm"));
    EXPECT_NEAR(norm, norms[std::size_t(step - 1)], (std::is_same_v<T, float> ? 1e-5 : 1e-13));
    optimizer.step(rate(step));
    const auto now = numbers_of(model);
    for (std::size_t i = 0; i < now.size(); ++i)
      difference =
          std::max(difference, std::abs(double(now[i]) - values[std::size_t(step - 1) * 56 + i]));
  }
  EXPECT_LT(difference, (std::is_same_v<T, float> ? 3e-6 : 1e-14)) << file.metadata().at(name);
}

TYPED_TEST(Optimizers, ArePyTorchsForTwentySteps) {
  using T = TypeParam;
  const attn::SafeTensors file =
      attn::load_safetensors(std::string(ATTN_TESTS_DATA) + "/optimizer_cases.safetensors");
  int cases = 0;
  for (const auto& [name, text] : file.metadata()) {
    const Words words(text);
    if (!words.words.contains("optimizer")) continue;
    const std::string optimizer = words.words.at("optimizer");
    const double factor = words.number("factor", 0), beta1 = words.number("beta1", 0.9),
                 beta2 = words.number("beta2", 0.999), eps = words.number("eps", 1e-8);
    if (optimizer == "SGD")
      follow<T, attn::Sgd<T>>(file, name,
                              {.momentum = words.number("momentum", 0),
                               .dampening = words.number("dampening", 0),
                               .weight_decay = words.number("weight_decay", 0),
                               .nesterov = words.number("nesterov", 0) > 0},
                              factor);
    else if (optimizer == "Adam")
      follow<T, attn::Adam<T>>(file, name,
                               {.beta1 = beta1,
                                .beta2 = beta2,
                                .eps = eps,
                                .weight_decay = words.number("weight_decay", 0)},
                               factor);
    else
      follow<T, attn::AdamW<T>>(file, name,
                                {.beta1 = beta1,
                                 .beta2 = beta2,
                                 .eps = eps,
                                 .weight_decay = words.number("weight_decay", 0.01)},
                                factor);
    ++cases;
  }
  EXPECT_EQ(cases, 9);
}

/// Packets that are not full, many parts, and one thread or several.
TYPED_TEST(Optimizers, AreBitwiseIdenticalForAnyNumberOfThreads) {
  using T = TypeParam;
  const auto train = [](Index threads) {
    attn::set_num_threads(threads);
    SmallModel<T> model(attn::Random{3}, 12345);
    attn::AdamW<T> adamw(model.parameters());
    attn::Sgd<T> sgd(model.parameters(), {.momentum = 0.9, .weight_decay = 0.1});
    attn::Random random{4};
    std::vector<double> norms;
    for (int step = 0; step < 3; ++step) {
      draw_gradients(model.parameters(), random);
      norms.push_back(attn::clip_gradient_norm(model.parameters(), 1));
      adamw.step(1e-2);
      sgd.step(1e-2);
    }
    attn::set_executor(attn::Pool{});
    return std::pair(numbers_of(model), norms);
  };
  const auto one = train(1);
  for (const Index threads : {2, 3, 7})
    EXPECT_TRUE(same_bits(train(threads).first, one.first) &&
                same_bits(train(threads).second, one.second))
        << threads;
}

/// Every element is updated alike, wherever it lies.
TYPED_TEST(Optimizers, ApplyTheFormulaToEveryElement) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{5}, 7001);
  const std::vector<T> before = numbers_of(model);
  attn::Adam<T> adam(model.parameters());
  attn::Random random{6};
  draw_gradients(model.parameters(), random);
  adam.step(0.1);  // the first step is lr · sign(g), where ε is small beside |g|
  const std::vector<T> after = numbers_of(model);
  std::size_t at = 0;
  for (const auto& p : model.parameters())
    for (const T g : p.grad.values()) {
      const double expected = double(before[at]) - 0.1 * double(g) / (std::abs(double(g)) + 1e-8);
      EXPECT_NEAR(double(after[at]), expected, (std::is_same_v<T, float> ? 1e-6 : 1e-14)) << at;
      ++at;
    }
}

TYPED_TEST(Optimizers, LeaveAParameterWithoutAGradientAsItIs) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{5});
  attn::AdamW<T> adamw(model.parameters());
  attn::Sgd<T> sgd(model.parameters(), {.momentum = 0.9, .weight_decay = 0.5});
  const auto before = model.state_dict();
  model.bias.gradient().sum()(2) = 3;
  adamw.step(0.1);
  sgd.step(0.1);
  const auto after = model.state_dict();
  for (const std::string& name : before.names())
    EXPECT_EQ(std::ranges::equal(before.values(name), after.values(name)), name != "bias") << name;
  EXPECT_EQ(adamw.state_dict().names(),
            (std::vector<std::string>{"weight.step", "bias.step", "bias.exp_avg", "bias.exp_avg_sq",
                                      "inner.weight.step", "inner.bias.step"}));
  EXPECT_EQ(sgd.state_dict().values("bias.step")[0], 1);
  EXPECT_EQ(sgd.state_dict().values("weight.step")[0], 0);
  adamw.zero_grad();
  EXPECT_TRUE(model.bias.gradient().empty());
  const auto still = numbers_of(model);
  adamw.step(0.1);
  EXPECT_TRUE(same_bits(numbers_of(model), still));
}

TYPED_TEST(Optimizers, TakeGroupsWithOptionsOfTheirOwn) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{5});
  const auto before = model.state_dict();
  const auto [matrices, vectors] = attn::split_by_axes(model.parameters());
  ASSERT_EQ(matrices.size(), 2u);
  ASSERT_EQ(vectors.size(), 2u);
  attn::AdamW<T> adamw(matrices, {.weight_decay = 0.5});
  adamw.add_group(vectors, {.weight_decay = 0, .lr_factor = 0.25});
  for (const auto& p : model.parameters()) std::ranges::fill(p.grad.values(), T(1));
  adamw.step(0.1);
  for (const auto& p : model.parameters())
    for (std::size_t i = 0; i < p.value.size(); ++i) {
      const double x = double(before.values(p.name)[i]);
      EXPECT_NEAR(double(p.value[i]), p.shape.size() == 2 ? x * (1 - 0.05) - 0.1 : x - 0.025, 1e-6)
          << p.name;
    }
}

TYPED_TEST(Optimizers, NameTheirGroupsAndOptions) {
  using T = TypeParam;
  SmallModel<T> model;
  const auto [matrices, vectors] = attn::split_by_axes(model.parameters());
  attn::Sgd<T> sgd(matrices, {.momentum = 0.5, .nesterov = true});
  sgd.add_group(vectors, {.dampening = 0.25, .weight_decay = 0.125, .lr_factor = 2});
  const std::vector<attn::ParameterGroup> groups = sgd.parameter_groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].parameters, (std::vector<std::string>{"weight", "inner.weight"}));
  EXPECT_EQ(groups[1].parameters, (std::vector<std::string>{"bias", "inner.bias"}));
  using Options = std::map<std::string, attn::OptionValue>;
  EXPECT_EQ(groups[0].options, (Options{{"momentum", 0.5},
                                        {"dampening", 0.0},
                                        {"weight_decay", 0.0},
                                        {"nesterov", true},
                                        {"lr_factor", 1.0}}));
  EXPECT_EQ(groups[1].options, (Options{{"momentum", 0.0},
                                        {"dampening", 0.25},
                                        {"weight_decay", 0.125},
                                        {"nesterov", false},
                                        {"lr_factor", 2.0}}));
}

TYPED_TEST(Optimizers, ContinueBitwiseIdenticallyFromALoadedState) {
  using T = TypeParam;
  const auto check = [](auto make) {
    SmallModel<T> straight(attn::Random{1}), second;
    auto one = make(straight);
    attn::Random random{2};
    for (int step = 0; step < 3; ++step) {
      draw_gradients(straight.parameters(), random);
      one.step(0.01);
    }
    second.load_state_dict(straight.state_dict());
    auto two = make(second);
    two.load_state_dict(one.state_dict());
    attn::Random again = random;
    for (int step = 0; step < 3; ++step) {
      draw_gradients(straight.parameters(), random);
      one.step(0.01);
      draw_gradients(second.parameters(), again);
      two.step(0.01);
    }
    EXPECT_TRUE(same_bits(numbers_of(straight), numbers_of(second)));
  };
  check([](SmallModel<T>& model) { return attn::Adam<T>(model.parameters()); });
  check([](SmallModel<T>& model) {
    return attn::Sgd<T>(model.parameters(), {.momentum = 0.9, .dampening = 0.5});
  });
}

TYPED_TEST(Optimizers, LoadTheWholeStateOrNothing) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{1});
  attn::Random random{2};
  attn::Adam<T> adam(model.parameters());
  draw_gradients(model.parameters(), random);
  adam.step(0.01);
  const auto state = adam.state_dict();
  const auto unchanged = [&] {
    const auto now = adam.state_dict();
    if (now.names() != state.names()) return false;
    return std::ranges::all_of(now.names(), [&](const std::string& name) {
      return std::ranges::equal(now.values(name), state.values(name));
    });
  };
  attn::StateDict<T> other;
  for (const std::string& name : state.names())
    if (name != "inner.bias.exp_avg")
      other.set(name, state.shape(name), std::vector<T>(state.values(name).size(), T(2)));
  const std::string must = "Adam: the state must have exactly the entries of its parameters; ";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { adam.load_state_dict(other); }),
            must + "missing: inner.bias.exp_avg; unexpected: none; misshapen: none");
  EXPECT_TRUE(unchanged());
  other.set("inner.bias.exp_avg", {1, 4}, std::vector<T>(4));
  other.set("bias.momentum_buffer", {5}, std::vector<T>(5));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { adam.load_state_dict(other); }),
            must +
                "missing: none; unexpected: bias.momentum_buffer; misshapen: inner.bias.exp_avg "
                "(1, 4) instead of (4)");
  attn::StateDict<T> half = state;
  half.set("bias.step", {}, std::vector<T>{T(0.5)});
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { adam.load_state_dict(half); }),
            "Adam: bias.step = 0.5 must be an integer from 0 to 2^53");
  half.set("bias.step", {1}, std::vector<T>{T(1)});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { adam.load_state_dict(half); }),
            "Adam: bias.step (1) must be a scalar, of shape ()");
  EXPECT_TRUE(unchanged());
  attn::Adam<T> fresh(model.parameters());
  adam.load_state_dict(fresh.state_dict());
  EXPECT_FALSE(unchanged());
  adam.load_state_dict(state);
  EXPECT_TRUE(unchanged());
}

/// 1e-30 squared is below the normal floats. What is lost there is negligible beside ε, and the
/// result has no NaN or infinity.
TYPED_TEST(Optimizers, StayFiniteForGradientsOfAnySize) {
  using T = TypeParam;
  for (const double size : {0.0, 1e-44, 1e-38, 1e-30, 1e-19, 1e15, 1e25, 1e38}) {
    SmallModel<T> model(attn::Random{1});
    attn::Adam<T> adam(model.parameters());
    for (int step = 0; step < 5; ++step) {
      for (const auto& p : model.parameters()) std::ranges::fill(p.grad.values(), T(size));
      adam.step(0.1);
    }
    for (const T x : numbers_of(model)) EXPECT_LT(std::abs(x), 6) << size;
  }
}

TEST(OptimizerErrors, NameWhatIsWrong) {
  SmallModel<double> model;
  const auto parameters = model.parameters();
  const auto adam = [&](attn::AdamOptions options) {
    return sentence_of<attn::OptionError>([&] { attn::Adam<double>(parameters, options); });
  };
  EXPECT_EQ(adam({.beta1 = 1}), "Adam: beta1 = 1 must be at least 0 and below 1");
  EXPECT_EQ(adam({.beta2 = -0.1}), "Adam: beta2 = -0.1 must be at least 0 and below 1");
  EXPECT_EQ(adam({.eps = -1}), "Adam: eps = -1 must be at least 0 and finite");
  EXPECT_EQ(adam({.weight_decay = -1}), "Adam: weight_decay = -1 must be at least 0 and finite");
  EXPECT_EQ(adam({.lr_factor = std::nan("")}),
            "Adam: lr_factor = nan must be at least 0 and finite");
  const auto sgd = [&](attn::SgdOptions options) {
    return sentence_of<attn::OptionError>([&] { attn::Sgd<double>(parameters, options); });
  };
  EXPECT_EQ(sgd({.momentum = -1}), "Sgd: momentum = -1 must be at least 0 and finite");
  EXPECT_EQ(sgd({.nesterov = true}),
            "Sgd: nesterov = true must be with a momentum and without dampening");
  EXPECT_EQ(sgd({.weight_decay = -1}), "Sgd: weight_decay = -1 must be at least 0 and finite");
  attn::AdamW<double> adamw(parameters);
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { adamw.step(-1); }),
            "AdamW: lr = -1 must be at least 0 and finite");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { adamw.add_group(parameters); }),
            "AdamW: the parameter weight must be given once, and no other of its name");
  EXPECT_EQ(adamw.state_dict().names().size(), 4u);
}

}  // namespace
