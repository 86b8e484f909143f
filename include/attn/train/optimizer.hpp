#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/core/option.hpp>
#include <attn/train/parts.hpp>
#include <attn/train/read_steps.hpp>
#include <map>
#include <set>

namespace attn {
inline namespace ATTN_ABI {

/// θ ← rule(θ, dL/dθ) for the parameters of a model; `Sgd`, `Adam` and `AdamW` are optimisers, each
/// by its rule:
///
///   attn::Adam<float> adam(model.parameters(), {.beta2 = 0.98});
///   adam.zero_grad(); tape.backward(loss); adam.step(1e-3);
///
/// Parameters may come in groups with options of their own: `adam.add_group(others, {.lr_factor =
/// 0.1})`. The model must neither move nor end before the optimiser. A parameter whose gradient is
/// empty is left as it is, and so is what is remembered of it, as PyTorch does where the gradient
/// is None. The bits are the same for any number of threads.
/// Errors: OptionError for an option out of its range, or if a parameter, or its name, is given
/// twice.
template <class T, class RuleOfIt>
class Optimizer {
 public:
  using Rule = RuleOfIt;
  using Options = typename Rule::Options;
  static constexpr const char* kind = Rule::kind;

  /// What is remembered of a parameter: how often it was changed, and the rule's running averages,
  /// made at the first change.
  struct Memory {
    Index step = 0;
    std::vector<Buffer<T>> averages;
  };
  using State = std::vector<Memory>;

  Optimizer() = default;
  explicit Optimizer(std::vector<NamedParameter<T>> parameters, const Options& options = {}) {
    add_group(std::move(parameters), options);
  }

  /// More parameters, with other options. If it throws, none is added.
  void add_group(std::vector<NamedParameter<T>> parameters, const Options& options = {}) {
    Rule::check(options);
    expect_option(options.lr_factor >= 0 && std::isfinite(options.lr_factor), kind, "lr_factor",
                  options.lr_factor, "at least 0 and finite");
    std::set<std::string> names;
    std::set<const T*> places;
    for (const Slot& slot : slots_)
      names.insert(slot.parameter.name), places.insert(slot.parameter.value.data());
    for (const auto& p : parameters)
      if (!names.insert(p.name).second ||
          (!p.value.empty() && !places.insert(p.value.data()).second))
        throw OptionError(std::string(kind) + ": the parameter " + p.name +
                          " must be given once, and no other of its name");
    slots_.reserve(slots_.size() + parameters.size()),
        state_.reserve(slots_.size() + parameters.size());
    for (auto& p : parameters) slots_.push_back({std::move(p), options}), state_.emplace_back();
  }

  /// One step at the learning rate `lr`, times the group's factor. Errors: OptionError if it is
  /// negative or not finite.
  void step(double lr) {
    expect_option(lr >= 0 && std::isfinite(lr), kind, "lr", lr, "at least 0 and finite");
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (!slots_[i].parameter.grad.empty() && state_[i].step == 0)
        state_[i].averages = averages_for(slots_[i]);
    std::vector<Job> jobs;
    std::vector<Index> sizes;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto& [parameter, options] = slots_[i];
      if (parameter.grad.empty()) continue;
      Job job{Rule(options, lr * options.lr_factor, state_[i].step + 1),
              parameter.edit().data(),
              parameter.grad.values().data(),
              {}};
      for (Buffer<T>& average : state_[i].averages) job.averages.push_back(average.data());
      jobs.push_back(std::move(job)), sizes.push_back(static_cast<Index>(parameter.value.size()));
    }
    for (std::size_t i = 0; i < slots_.size(); ++i)
      state_[i].step += !slots_[i].parameter.grad.empty();
    for_each_part(sizes, [&](std::size_t k, Index begin, Index count) {
      const Job& job = jobs[k];
      job.rule.update(job.value, job.grad, job.averages, begin, count);
    });
  }

  /// Clears the gradients, so that those of the next step begin anew: PyTorch's `zero_grad`, with
  /// its `set_to_none`.
  void zero_grad() {
    for (const Slot& slot : slots_) slot.parameter.grad.clear();
  }

  /// f(name, shape, values) for all that is remembered, by PyTorch's names: "weight.step", a span
  /// of one Index, for every parameter, and for those that were changed "weight.exp_avg" and so on,
  /// a span of T.
  template <class F>
  void visit_state(F&& f) const {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto& [parameter, options] = slots_[i];
      f(parameter.name + ".step", std::vector<Index>{}, std::span<const Index>(&state_[i].step, 1));
      if (state_[i].step == 0) continue;
      const std::vector<std::string> names = Rule::averages(options);
      for (std::size_t j = 0; j < names.size(); ++j)
        f(parameter.name + "." + names[j], parameter.shape,
          std::span<const T>(state_[i].averages[j].data(), parameter.value.size()));
    }
  }
  /// A copy of it.
  StateDict<T> state_dict() const {
    StateDict<T> state;
    visit_state([&](const std::string& name, const std::vector<Index>& shape, auto values) {
      const std::vector<T> numbers(values.begin(), values.end());
      state.set(name, shape, numbers);
    });
    return state;
  }

  /// The state in the entries of `source` whose names begin with `prefix`, which must be exactly
  /// what an optimiser of these options and parameters remembers; nothing is changed before
  /// `set_state`. Errors: ShapeError naming every missing, unexpected and misshapen entry,
  /// OptionError for a number of steps that is none, what the source throws.
  template <StateSource<T> Source>
  State read_state(const Source& source, std::string_view prefix = "") const {
    std::map<std::string, std::vector<Index>> wanted;
    const std::vector<std::string> all = source.names();
    const std::set<std::string> given(all.begin(), all.end());
    State state(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto& [parameter, options] = slots_[i];
      const std::string name = std::string(prefix) + parameter.name + ".step";
      wanted[parameter.name + ".step"] = {};
      if (given.contains(name)) state[i].step = read_steps(kind, source, name);
      if (state[i].step == 0) continue;
      for (const std::string& average : Rule::averages(options))
        wanted[parameter.name + "." + average] = parameter.shape;
    }
    detail::expect_entries(
        std::string(kind) + ": the state must have exactly the entries of its parameters", source,
        prefix, wanted);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (state[i].step == 0) continue;
      state[i].averages = averages_for(slots_[i]);
      const std::vector<std::string> names = Rule::averages(slots_[i].options);
      for (std::size_t j = 0; j < names.size(); ++j)
        source.read(std::string(prefix) + slots_[i].parameter.name + "." + names[j],
                    std::span<T>(state[i].averages[j].data(), slots_[i].parameter.value.size()));
    }
    return state;
  }
  /// What `read_state` of this optimiser gave.
  void set_state(State state) noexcept { state_ = std::move(state); }
  /// The two at once: all is loaded or nothing.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    set_state(read_state(source, prefix));
  }

 private:
  struct Slot {
    NamedParameter<T> parameter;
    Options options;
  };
  struct Job {
    Rule rule;
    T* value;
    const T* grad;
    std::vector<T*> averages;
  };
  static std::vector<Buffer<T>> averages_for(const Slot& slot) {
    return std::vector<Buffer<T>>(Rule::averages(slot.options).size(),
                                  Buffer<T>(static_cast<Index>(slot.parameter.value.size())));
  }

  std::vector<Slot> slots_;
  State state_;
};

/// Parameters of two and more axes, and the rest, biases and the weights of norms: commonly only
/// the first decay.
///
///   auto [matrices, vectors] = attn::split_by_axes(model.parameters());
///   attn::AdamW<float> adamw(matrices, {.weight_decay = 0.1});
///   adamw.add_group(vectors, {.weight_decay = 0});
template <class T>
std::pair<std::vector<NamedParameter<T>>, std::vector<NamedParameter<T>>> split_by_axes(
    const std::vector<NamedParameter<T>>& parameters) {
  std::pair<std::vector<NamedParameter<T>>, std::vector<NamedParameter<T>>> split;
  for (const auto& p : parameters) (p.shape.size() >= 2 ? split.first : split.second).push_back(p);
  return split;
}

}  // namespace ATTN_ABI
}  // namespace attn
