#pragma once

#include <attn/autograd/named_parameter.hpp>
#include <attn/core/option.hpp>
#include <attn/core/state_dict.hpp>
#include <attn/math/elementwise.hpp>
#include <attn/train/parameter_group.hpp>
#include <attn/train/parts.hpp>
#include <map>
#include <set>

namespace attn {
inline namespace ATTN_ABI {

struct MovingAverageOptions {
  double decay = 0.999;
};

/// a ← a + (1 − decay)(θ − a) after each step, from a = θ at the start: the weights averaged over
/// about the last 1 / (1 − decay) steps, which often do better than the last weights alone
/// [Polyak92]. It is PyTorch's `get_ema_multi_avg_fn` of an `AveragedModel` made at the start.
///
///   attn::MovingAverage<float> average(model.parameters(), {.decay = 0.9999});
///   adam.step(rate(step));
///   average.update();
///   // Within evaluate, and there alone, the model has the averages as its weights.
///   const double loss = average.evaluate([&] { return validate(model); });
///
/// The model must neither move nor end before the average. Errors: OptionError for a decay outside
/// [0, 1], or if a parameter is given twice.
template <class T>
class MovingAverage {
 public:
  static constexpr const char* kind = "MovingAverage";
  using State = std::vector<Buffer<T>>;

  explicit MovingAverage(std::vector<NamedParameter<T>> parameters,
                         const MovingAverageOptions& options = {})
      : parameters_(std::move(parameters)), decay_(options.decay) {
    expect_option(decay_ >= 0 && decay_ <= 1, kind, "decay", decay_, "from 0 to 1");
    std::set<const T*> places;
    for (const auto& p : parameters_)
      if (!p.value.empty() && !places.insert(p.value.data()).second)
        throw OptionError("MovingAverage: the parameter " + p.name +
                          " must be given once, but it is given twice");
    for (const auto& p : parameters_)
      std::copy(p.value.begin(), p.value.end(), averages_.emplace_back(buffer_for(p)).data());
  }

  /// Takes the present values of the parameters into the average.
  void update() {
    expect_own("update");
    std::vector<Index> sizes;
    for (const Buffer<T>& average : averages_) sizes.push_back(average.size());
    const auto approach = [rate = 1 - decay_](const auto& a, const auto& x) {
      return a + rate * (x - a);
    };
    detail::for_each_part(sizes, [&](std::size_t k, Index begin, Index count) {
      T* const average = averages_[k].data() + begin;
      const T* const value = parameters_[k].value.data() + begin;
      ATTN_DISPATCH(transform<T>(average, count, approach, average, value));
    });
  }

  /// The result of f, which is called while the model has the averages in place of its weights. The
  /// weights are put back afterwards, also if f throws.
  template <class F>
  decltype(auto) evaluate(F&& f) {
    expect_own("evaluate");
    const Exchange exchange(*this);
    return std::forward<F>(f)();
  }

  /// One group of all parameters, with the decay as its option.
  std::vector<ParameterGroup> parameter_groups() const {
    ParameterGroup group{{}, {{"decay", decay_}}};
    for (const auto& p : parameters_) group.parameters.push_back(p.name);
    return {std::move(group)};
  }

  /// f(name, shape, values) for every average, by the names of the parameters.
  template <class F>
  void visit_state(F&& f) const {
    expect_own("the state");
    for (std::size_t k = 0; k < averages_.size(); ++k)
      f(parameters_[k].name, parameters_[k].shape,
        std::span<const T>(averages_[k].data(), parameters_[k].value.size()));
  }
  /// A copy of the averages, which a model of the same kind loads.
  StateDict<T> state_dict() const {
    StateDict<T> state;
    visit_state([&](const std::string& name, const std::vector<Index>& shape,
                    std::span<const T> values) { state.set(name, shape, values); });
    return state;
  }
  /// The averages in the entries of `source` whose names begin with `prefix`, which must be exactly
  /// these parameters; nothing is changed before `set_state`. Errors: ShapeError naming every
  /// missing, unexpected and misshapen entry, and what the source throws.
  template <StateSource<T> Source>
  State read_state(const Source& source, std::string_view prefix = "") const {
    expect_own("the state");
    std::map<std::string, std::vector<Index>> wanted;
    for (const auto& p : parameters_) wanted[p.name] = p.shape;
    detail::expect_entries(
        std::string(kind) + ": the state must have exactly the entries of its parameters", source,
        prefix, wanted);
    State state;
    for (const auto& p : parameters_)
      source.read(std::string(prefix) + p.name,
                  std::span<T>(state.emplace_back(buffer_for(p)).data(), p.value.size()));
    return state;
  }
  /// Takes the result of this average's `read_state`.
  void set_state(State state) noexcept { averages_ = std::move(state); }
  /// Reads and sets the averages: all of them are loaded or nothing.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    set_state(read_state(source, prefix));
  }

 private:
  struct Exchange {
    explicit Exchange(MovingAverage& average) : average_(average) { average_.exchange(); }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() { average_.exchange(); }
    MovingAverage& average_;
  };
  void exchange() {
    for (std::size_t k = 0; k < averages_.size(); ++k) {
      const std::span<T> value = parameters_[k].edit();
      std::swap_ranges(value.begin(), value.end(), averages_[k].data());
    }
    exchanged_ = !exchanged_;
  }
  void expect_own(const char* what) const {
    if (exchanged_)
      throw Error(std::string(kind) + ": " + what + " must not be asked for while evaluate runs");
  }
  static Buffer<T> buffer_for(const NamedParameter<T>& p) {
    return Buffer<T>::for_overwrite(static_cast<Index>(p.value.size()));
  }

  std::vector<NamedParameter<T>> parameters_;
  State averages_;
  double decay_;
  bool exchanged_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
