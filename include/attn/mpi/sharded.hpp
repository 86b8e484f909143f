#pragma once

#include <attn/mpi/replicas.hpp>
#include <attn/mpi/shard_source.hpp>
#include <attn/train/gradients.hpp>
#include <attn/train/optimizer.hpp>
#include <sstream>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// An optimizer of which each rank keeps the state of its shard of the parameters alone, and
/// updates these; the updated values are then gathered [Rajbhandari20, stage 1]:
///
///   attn::mpi::Sharded<attn::AdamW<float>> adamw(replicas, {.weight_decay = 0.1});
///   replicas.backward(random, loss_of_part);
///   adamw.clip_gradient_norm(1.0);
///   adamw.step(1e-3);
///
/// Groups of parameters with options of their own are groups of shards:
///
///   const auto [matrices, vectors] = attn::split_by_axes(replicas.shards());
///   attn::mpi::Sharded<attn::AdamW<float>> adamw(replicas, matrices, {.weight_decay = 0.1});
///   adamw.add_group(vectors, {.weight_decay = 0});
///
/// Parameters and state are bitwise identical for any number of ranks. The replicas must neither
/// move nor end before the optimizer.
/// Errors: those of the optimizer, and ShapeError if the ranks have different options; all ranks
/// throw the same.
template <class AnyOptimizer>
class Sharded;

template <class T, class Rule>
class Sharded<Optimizer<T, Rule>> {
 public:
  using Whole = Optimizer<T, Rule>;
  using Options = typename Whole::Options;
  using State = typename Whole::State;
  static constexpr const char* kind = Whole::kind;

  explicit Sharded(Replicas<T>& replicas, const Options& options = {})
      : Sharded(replicas, replicas.shards(), options) {}
  Sharded(Replicas<T>& replicas, std::vector<NamedParameter<T>> shards, const Options& options)
      : replicas_(replicas) {
    add_group(std::move(shards), options);
  }

  /// Adds shards of the replicas with options of their own.
  void add_group(std::vector<NamedParameter<T>> shards, const Options& options = {}) {
    Together together(replicas_.world(), description(shards, options));
    together.compute([&] { optimizer_.add_group(std::move(shards), options); });
    together.finish();
  }
  std::vector<ParameterGroup> parameter_groups() const { return optimizer_.parameter_groups(); }

  /// g ← g · min(1, max_norm / (norm + 1e-6)) for the gradients of all parameters of the replicas;
  /// returns their norm before. See attn::clip_gradient_norm.
  /// Errors: OptionError if max_norm is negative or NaN; Error without gradients.
  double clip_gradient_norm(double max_norm) {
    Together together(replicas_.world(), "Sharded::clip_gradient_norm: max_norm " + text(max_norm));
    double norm = 0;
    std::vector<double> squares;
    together.compute([&] {
      expect_option(max_norm >= 0, "clip_gradient_norm", "max_norm", max_norm, "at least 0");
      expect_gradients("clip_gradient_norm");
      squares = attn::detail::squares_of_chunks(replicas_.shards());
    });
    together.finish();
    for (const double square : gather(squares)) norm += square;
    norm = std::sqrt(norm);
    const double factor = max_norm / (norm + 1e-6);
    if (!(factor >= 1)) scale_gradients(replicas_.shards(), factor);
    return norm;
  }

  /// One step at the learning rate `lr`, see Optimizer::step.
  /// Errors: Error if the gradients were not computed since the last step.
  void step(double lr) {
    Together together(replicas_.world(),
                      std::string("Sharded::step: ") + kind + "; lr " + text(lr));
    Buffer<T> values;
    together.compute([&] {
      expect_gradients("step");
      values = Buffer<T>::for_overwrite(replicas_.layout().size());
      optimizer_.allocate_state();
    });
    together.finish();
    optimizer_.step(lr);
    last_pass_ = replicas_.passes();
    share_values({values.data(), static_cast<std::size_t>(values.size())});
  }

  /// f(name, shape, values, counts) for the whole state, as Optimizer::visit_state, but with the
  /// values of this rank's shard alone, and with how many the shard of each rank has. The number of
  /// steps is on every rank, and has no counts.
  template <class F>
  void visit_shards(F&& f) const {
    optimizer_.visit_state(
        [&]<class U>(const std::string& name, const auto& shape, std::span<const U> values) {
          if constexpr (std::same_as<U, T>) f(name, shape, values, counts_of(name));
          else f(name, shape, values, std::vector<Index>());
        });
  }
  /// This rank's part of the whole state in `source`, see Optimizer::read_state.
  template <StateSource<T> Source>
  State read_state(const Source& source, std::string_view prefix = "") const {
    return optimizer_.read_state(
        detail::ShardSource<T, Source>{source, replicas_, std::string(prefix)}, prefix);
  }
  void set_state(State state) noexcept { optimizer_.set_state(std::move(state)); }

 private:
  static std::string text(double value) {
    std::ostringstream out;
    out.precision(17);
    out << value;
    return out.str();
  }
  static std::string description(const std::vector<NamedParameter<T>>& shards,
                                 const Options& options) {
    std::string all = std::string("Sharded: ") + kind + "; lr_factor " + text(options.lr_factor);
    for (const auto& [name, value] : Rule::option_values(options))
      std::visit([&, &key = name](auto v) { all += "; " + key + " " + text(v); }, value);
    for (const auto& p : shards) all += "; " + p.name + " " + to_string(p.shape);
    return all;
  }
  void expect_gradients(const char* what) const {
    if (replicas_.has_gradients() && last_pass_ < replicas_.passes()) return;
    throw Error(std::string("Sharded: ") + what +
                " needs gradients of Replicas::backward, which has not run since the last step");
  }

  /// The values of all ranks in their order.
  std::vector<double> gather(const std::vector<double>& mine) const {
    const World& world = replicas_.world();
    std::vector<Index> counts(static_cast<std::size_t>(world.size()));
    counts[static_cast<std::size_t>(world.rank())] = std::ssize(mine);
    const std::vector<Index> one(counts.size(), 1);
    all_gather(world, std::span(counts), one).wait();
    std::vector<double> all(static_cast<std::size_t>(detail::sum_of(counts)));
    all_gather(world, mine, std::span(all), counts).wait();
    return all;
  }

  /// Gives all ranks the values that this rank has updated, and takes theirs. `all` is memory for
  /// every element.
  void share_values(std::span<T> all) const {
    const detail::ShardLayout& layout = replicas_.layout();
    const auto place = [&](std::size_t k, Range elements) {
      const Index begin = layout.begin_of(static_cast<Index>(k)) + elements.begin;
      return all.subspan(static_cast<std::size_t>(begin),
                         static_cast<std::size_t>(elements.size()));
    };
    const auto& parameters = replicas_.parameters();
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const Range own = layout.elements(static_cast<Index>(k), replicas_.world().rank());
      std::copy_n(parameters[k].value.begin() + own.begin, own.size(), place(k, own).begin());
    }
    detail::gather_shards(replicas_.world(), layout, all);
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      if (replicas_.shards()[k].grad.empty()) continue;
      const std::span<const T> from = place(k, {0, std::ssize(parameters[k].value)});
      std::copy(from.begin(), from.end(), parameters[k].edit().begin());
    }
  }

  /// How many elements of a parameter's state the shard of each rank has; `name` is that of an
  /// entry, "weight.exp_avg".
  std::vector<Index> counts_of(const std::string& name) const {
    const Index k = detail::parameter_of_entry(replicas_, name);
    std::vector<Index> counts;
    for (Index rank = 0; rank < replicas_.world().size(); ++rank)
      counts.push_back(replicas_.layout().elements(k, rank).size());
    return counts;
  }

  Replicas<T>& replicas_;
  Whole optimizer_;  // of this rank's shard
  Index last_pass_ = 0;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
