#pragma once

#include <attn/autograd/named_parameter.hpp>
#include <attn/core/option.hpp>
#include <attn/train/parameter_group.hpp>
#include <attn/train/parts.hpp>
#include <attn/train/read_steps.hpp>
#include <map>
#include <set>

namespace attn {
inline namespace ATTN_ABI {

/// θ ← rule(θ, dL/dθ) for the parameters of a model; `Sgd`, `Adam` and `AdamW` are optimizers, each
/// with its rule:
///
///   attn::Adam<float> adam(model.parameters(), {.beta2 = 0.98});
///   adam.zero_grad();
///   tape.backward(loss);
///   adam.step(1e-3);
///
/// Parameters may come in groups with options of their own: `adam.add_group(others, {.lr_factor =
/// 0.1})`. The model must neither move nor end before the optimizer. A parameter whose gradient is
/// empty keeps its value and its state, as in PyTorch where the gradient is None. The result is
/// deterministic for any number of threads.
/// Errors: OptionError for an option out of its range, or if a parameter, or its name, is given
/// twice.
template <class T, class UpdateRule>
class Optimizer {
 public:
  using Rule = UpdateRule;
  using Options = typename Rule::Options;
  static constexpr const char* kind = Rule::kind;

  /// The state of a parameter: its number of steps, and the rule's buffers (`exp_avg`,
  /// `momentum_buffer`, …), which are allocated at the first step.
  struct ParameterState {
    Index step = 0;
    std::vector<Buffer<T>> buffers;
  };
  using State = std::vector<ParameterState>;

  Optimizer() = default;
  explicit Optimizer(std::vector<NamedParameter<T>> parameters, const Options& options = {}) {
    add_group(std::move(parameters), options);
  }

  /// Adds parameters with options of their own. If it throws, none is added.
  void add_group(std::vector<NamedParameter<T>> parameters, const Options& options = {}) {
    Rule::check(options);
    expect_option(options.lr_factor >= 0 && std::isfinite(options.lr_factor), kind, "lr_factor",
                  options.lr_factor, "at least 0 and finite");
    expect_new(parameters);
    slots_.reserve(slots_.size() + parameters.size());
    state_.reserve(slots_.size() + parameters.size());
    groups_.push_back(options);
    for (auto& p : parameters) {
      slots_.push_back({std::move(p), groups_.size() - 1});
      state_.emplace_back();
    }
  }

  /// The groups in the order in which they were added.
  std::vector<ParameterGroup> parameter_groups() const {
    std::vector<ParameterGroup> groups;
    for (const Options& options : groups_) {
      groups.push_back({{}, Rule::option_values(options)});
      groups.back().options["lr_factor"] = options.lr_factor;
    }
    for (const Slot& slot : slots_) groups[slot.group].parameters.push_back(slot.parameter.name);
    return groups;
  }

  /// One step at the learning rate `lr`, times the group's factor. Errors: OptionError if it is
  /// negative or not finite.
  void step(double lr) {
    expect_option(lr >= 0 && std::isfinite(lr), kind, "lr", lr, "at least 0 and finite");
    allocate_state();
    const std::vector<Update> updates = updates_at(lr);
    for (std::size_t i = 0; i < slots_.size(); ++i)
      state_[i].step += !slots_[i].parameter.grad.empty();
    std::vector<Index> sizes;
    for (const Update& update : updates) sizes.push_back(update.size);
    detail::for_each_part(sizes, [&](std::size_t k, Index begin, Index count) {
      const Update& update = updates[k];
      update.rule.update(update.value, update.grad, update.buffers, begin, count);
    });
  }

  /// Allocates what the next step needs for the gradients that there are now. `step` does so
  /// itself; a call before it makes a lack of memory known before anything is changed.
  void allocate_state() {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (!slots_[i].parameter.grad.empty() && state_[i].step == 0)
        state_[i].buffers = buffers_for(slots_[i]);
  }

  /// Clears the gradients, so that those of the next step are accumulated from zero: PyTorch's
  /// `zero_grad`, with its `set_to_none`.
  void zero_grad() {
    for (const Slot& slot : slots_) slot.parameter.grad.clear();
  }

  /// f(name, shape, values) for the whole state, by PyTorch's names: "weight.step", a span of one
  /// Index, for every parameter, and for those with a step "weight.exp_avg" and so on, a span of T.
  template <class F>
  void visit_state(F&& f) const {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const NamedParameter<T>& parameter = slots_[i].parameter;
      f(parameter.name + ".step", std::vector<Index>{}, std::span<const Index>(&state_[i].step, 1));
      if (state_[i].step == 0) continue;
      const std::vector<std::string> names = state_names(slots_[i]);
      for (std::size_t j = 0; j < names.size(); ++j)
        f(parameter.name + "." + names[j], parameter.shape,
          std::span<const T>(state_[i].buffers[j].data(), parameter.value.size()));
    }
  }
  /// A copy of the state. The options are not part of it: see `parameter_groups`.
  StateDict<T> state_dict() const {
    StateDict<T> state;
    visit_state([&](const std::string& name, const std::vector<Index>& shape, auto values) {
      state.set(name, shape, std::vector<T>(values.begin(), values.end()));
    });
    return state;
  }

  /// The state in the entries of `source` whose names begin with `prefix`, which must be exactly
  /// the state of an optimizer with these options and parameters; nothing is changed before
  /// `set_state`. Errors: ShapeError naming every missing, unexpected and misshapen entry,
  /// OptionError for a number of steps that is no integer, and what the source throws.
  template <StateSource<T> Source>
  State read_state(const Source& source, std::string_view prefix = "") const {
    State state = read_step_numbers(source, prefix);
    expect_entries_of(state, source, prefix);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (state[i].step == 0) continue;
      const NamedParameter<T>& parameter = slots_[i].parameter;
      state[i].buffers = buffers_for(slots_[i]);
      const std::vector<std::string> names = state_names(slots_[i]);
      for (std::size_t j = 0; j < names.size(); ++j)
        source.read(std::string(prefix) + parameter.name + "." + names[j],
                    std::span<T>(state[i].buffers[j].data(), parameter.value.size()));
    }
    return state;
  }
  /// Takes the result of this optimizer's `read_state`.
  void set_state(State state) noexcept { state_ = std::move(state); }
  /// Reads and sets the state: all of it is loaded or nothing.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    set_state(read_state(source, prefix));
  }

 private:
  struct Slot {
    NamedParameter<T> parameter;
    std::size_t group;
  };
  /// One parameter's part of a step.
  struct Update {
    Rule rule;
    T* value;
    const T* grad;
    std::vector<T*> buffers;
    Index size;
  };

  std::vector<std::string> state_names(const Slot& slot) const {
    return Rule::state_names(groups_[slot.group]);
  }
  std::vector<Buffer<T>> buffers_for(const Slot& slot) const {
    const auto size = static_cast<Index>(slot.parameter.value.size());
    return std::vector<Buffer<T>>(state_names(slot).size(), Buffer<T>(size));
  }

  void expect_new(const std::vector<NamedParameter<T>>& parameters) const {
    std::set<std::string> names;
    std::set<const T*> places;
    for (const Slot& slot : slots_) {
      names.insert(slot.parameter.name);
      places.insert(slot.parameter.value.data());
    }
    for (const auto& p : parameters) {
      const bool is_new =
          names.insert(p.name).second && (p.value.empty() || places.insert(p.value.data()).second);
      if (!is_new)
        throw OptionError(std::string(kind) + ": the parameter " + p.name +
                          " must be given once, and no other of its name");
    }
  }

  std::vector<Update> updates_at(double lr) {
    std::vector<Update> updates;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const NamedParameter<T>& parameter = slots_[i].parameter;
      if (parameter.grad.empty()) continue;
      const Options& options = groups_[slots_[i].group];
      Update update{Rule(options, lr * options.lr_factor, state_[i].step + 1),
                    parameter.edit().data(),
                    parameter.grad.values().data(),
                    {},
                    static_cast<Index>(parameter.value.size())};
      for (Buffer<T>& buffer : state_[i].buffers) update.buffers.push_back(buffer.data());
      updates.push_back(std::move(update));
    }
    return updates;
  }

  /// The state without its buffers.
  template <class Source>
  State read_step_numbers(const Source& source, std::string_view prefix) const {
    const std::vector<std::string> names = source.names();
    const std::set<std::string> given(names.begin(), names.end());
    State state(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const std::string name = std::string(prefix) + slots_[i].parameter.name + ".step";
      if (given.contains(name)) state[i].step = detail::read_steps(kind, source, name);
    }
    return state;
  }
  /// The entries must be those of a state with these numbers of steps.
  template <class Source>
  void expect_entries_of(const State& state, const Source& source, std::string_view prefix) const {
    std::map<std::string, std::vector<Index>> wanted;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const NamedParameter<T>& parameter = slots_[i].parameter;
      wanted[parameter.name + ".step"] = {};
      if (state[i].step == 0) continue;
      for (const std::string& name : state_names(slots_[i]))
        wanted[parameter.name + "." + name] = parameter.shape;
    }
    detail::expect_entries(
        std::string(kind) + ": the state must have exactly the entries of its parameters", source,
        prefix, wanted);
  }

  std::vector<Options> groups_;
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
