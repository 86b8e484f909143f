#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/mpi/shard_sum.hpp>
#include <attn/mpi/together.hpp>
#include <set>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

struct ReplicasOptions {
  /// The number of parts of a batch, at least 1; each rank computes equally many. Results depend on
  /// it, and not on the number of ranks, which must divide it.
  Index parts = 1;
};

namespace detail {

/// What a part of a batch draws from: a stream of its own, the same for any number of ranks; of the
/// first part, `random` itself.
inline Random random_of_part(const Random& random, Index part) {
  if (part == 0) return random;
  Random seeds{random.seed, ~std::uint64_t{0} - static_cast<std::uint64_t>(part)};
  return {seeds.bits(), random.counter};
}

/// The loss of a part, and how many random numbers it drew.
struct PartResult {
  double loss;
  std::uint64_t draws;
};

}  // namespace detail

/// A model of which every rank has a replica, and whose gradients are computed on all of them:
///
///   attn::mpi::Replicas replicas(world, model.parameters(), {.parts = 8});
///   attn::mpi::Sharded<attn::Adam<float>> adam(replicas, {.beta2 = 0.98});
///   const double loss = replicas.backward(random, [&](attn::Index part, attn::Tape<float>& tape) {
///     return my_loss(model, tape, my_batch(step, part));
///   });
///   adam.step(1e-3);
///
/// A batch consists of a fixed number of parts. The gradients of the parts are summed in a binary
/// tree over the numbers of the parts, so that they, and all that follows from them, are bitwise
/// identical for any number of ranks that divides the number of parts. As in PyTorch's
/// DistributedDataParallel, the gradient of a step is the mean over the parts.
///
/// The constructor copies the values of rank 0 to all ranks. Afterwards the values must be changed
/// on all ranks alike. The model must neither move nor end before the replicas.
/// Errors: ShapeError if the ranks have different parameters; OptionError if the number of ranks
/// does not divide that of the parts, or if a parameter is given twice.
/// Cost: a rank has log₂ of its number of parts copies of the gradients during a backward pass, and
/// sends and receives about as many bytes as the gradients have.
template <class T>
class Replicas {
 public:
  Replicas(const World& world, std::vector<NamedParameter<T>> parameters,
           const ReplicasOptions& options = {})
      : world_(world),
        parameters_(std::move(parameters)),
        parts_(options.parts),
        layout_(detail::sizes_of(parameters_), world.size()) {
    Together together(
        world, "Replicas: parts = " + std::to_string(parts_) + detail::described(parameters_));
    together.compute([&] {
      check();
      allocate();
    });
    together.finish();
    for (const auto& p : parameters_) broadcast(world, p.edit(), 0);
  }
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  /// The mean of the losses of all parts, after the backward pass of each: loss_of_part(part, tape)
  /// is called for every part of this rank and gives a scalar variable of the tape. Dropout draws
  /// from a stream for each part, which follows from `random`, whose state must be the same on all
  /// ranks; afterwards it is advanced alike on all of them. The gradients of the pass before are
  /// replaced. Those of the parameters themselves are empty afterwards: see `gather_gradients`.
  /// Errors: what a rank throws is thrown on all, see Together; there are then no gradients.
  template <class LossOfPart>
  double backward(Random& random, LossOfPart&& loss_of_part) {
    const Workspace workspace;
    const ClearGradients clear{parameters_};
    for (auto& gradient : gradients_) gradient.clear();
    passes_ += 1;
    has_gradients_ = false;
    Together together(world_, "Replicas::backward: random " + std::to_string(random.seed) + ", " +
                                  std::to_string(random.counter));
    std::vector<detail::PartResult> results(static_cast<std::size_t>(parts_));
    std::optional<detail::GradientSums<T>> sums;
    std::optional<detail::ShardSum<T>> shard_sum;
    together.compute([&] {
      sums.emplace(parameters_, layout_);
      const Range parts = parts_of(world_.rank());
      for (Index part = parts.begin; part < parts.end; ++part) {
        results[static_cast<std::size_t>(part)] = compute_part(part, random, loss_of_part);
        sums->add(part);
      }
      shard_sum.emplace(world_, layout_, [&](Index rank) { return parts_of(rank); });
    });
    together.finish();
    take_mean(shard_sum->exchange(sums->sums()));
    mark_gradients(sums->seen());
    return gather_results(results, random);
  }

  /// Writes the whole gradient to every parameter's own, for what reads them from there.
  /// Cost: a message of the size of the gradients.
  void gather_gradients() {
    std::vector<T> all(static_cast<std::size_t>(layout_.size()));
    const Range shard = layout_.shard(world_.rank());
    std::copy_n(gradient_.data(), shard.size(), all.begin() + shard.begin);
    detail::gather_shards(world_, layout_, std::span(all));
    std::vector<unsigned char> seen;
    for (const auto& gradient : gradients_) seen.push_back(gradient.empty() ? 0 : 1);
    detail::set_gradients<T>(parameters_, layout_, all, seen);
  }

  const World& world() const { return world_; }
  /// The parameters of the model.
  const std::vector<NamedParameter<T>>& parameters() const { return parameters_; }
  /// The elements of every parameter that this rank updates, with their gradients; of some there
  /// are none. `shape` is the whole parameter's.
  const std::vector<NamedParameter<T>>& shards() const { return shards_; }
  /// How the elements are divided among the ranks.
  const detail::ShardLayout& layout() const { return layout_; }
  /// The number of backward passes so far.
  Index passes() const { return passes_; }
  /// Whether the last backward pass has succeeded.
  bool has_gradients() const { return has_gradients_; }

 private:
  struct ClearGradients {
    const std::vector<NamedParameter<T>>& parameters;
    explicit ClearGradients(const std::vector<NamedParameter<T>>& of_these)
        : parameters(of_these) {}
    ClearGradients(const ClearGradients&) = delete;
    ClearGradients& operator=(const ClearGradients&) = delete;
    ~ClearGradients() {
      for (const auto& p : parameters) p.grad.clear();
    }
  };

  void check() const {
    expect_option(
        parts_ >= 1 && parts_ % world_.size() == 0, "Replicas", "parts", parts_,
        "at least 1 and a multiple of the number of ranks, " + std::to_string(world_.size()));
    std::set<const T*> places;
    for (const auto& p : parameters_)
      if (!p.value.empty() && !places.insert(p.value.data()).second)
        throw OptionError("Replicas: the parameter " + p.name +
                          " must be given once, but it is given twice");
  }
  void allocate() {
    gradient_ = Buffer<T>(layout_.shard(world_.rank()).size());
    T* to = gradient_.data();
    gradients_.reserve(parameters_.size());  // the shards keep their addresses
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const Range elements = layout_.elements(static_cast<Index>(k), world_.rank());
      auto& gradient =
          gradients_.emplace_back(std::span<T>(to, static_cast<std::size_t>(elements.size())));
      shards_.push_back(parameters_[k].part(elements, gradient));
      to += elements.size();
    }
  }

  Range parts_of(Index rank) const {
    const Index each = parts_ / world_.size();
    return {rank * each, (rank + 1) * each};
  }
  /// One part's backward pass, whose gradients the parameters have afterwards.
  template <class LossOfPart>
  detail::PartResult compute_part(Index part, const Random& random,
                                  LossOfPart& loss_of_part) const {
    for (const auto& p : parameters_) p.grad.clear();
    Random of_part = detail::random_of_part(random, part);
    Tape<T> tape{of_part};
    const Variable<T, 1> loss = loss_of_part(part, tape);
    tape.backward(loss);
    return {static_cast<double>(loss.value()(0)), of_part.counter - random.counter};
  }

  void take_mean(std::span<const T> sum) {
    const T factor = static_cast<T>(1 / static_cast<double>(parts_));
    attn::detail::parallel_chunks(std::ssize(sum), [&](Index begin, Index count) {
      const T* const x = sum.data() + begin;
      T* const mean = gradient_.data() + begin;
      for (Index i = 0; i < count; ++i) mean[i] = x[i] * factor;
    });
  }
  /// The gradient of a parameter is empty if no part on any rank has computed one.
  void mark_gradients(const std::vector<unsigned char>& of_this_rank) {
    const std::vector<unsigned char> seen = detail::seen_anywhere(world_, of_this_rank);
    for (std::size_t k = 0; k < seen.size(); ++k)
      if (seen[k]) gradients_[k].fill();
    has_gradients_ = true;
  }
  /// The mean loss. Advances `random` by the most that a part has drawn.
  double gather_results(std::vector<detail::PartResult>& results, Random& random) const {
    const std::vector<Index> counts(static_cast<std::size_t>(world_.size()),
                                    parts_ / world_.size());
    all_gather(world_, std::span(results), counts).wait();
    double sum = 0;
    std::uint64_t draws = 0;
    for (const auto& result : results) {
      sum += result.loss;
      draws = std::max(draws, result.draws);
    }
    random.counter += draws;
    return sum / static_cast<double>(parts_);
  }

  const World& world_;
  std::vector<NamedParameter<T>> parameters_;
  Index parts_;
  detail::ShardLayout layout_;
  Buffer<T> gradient_;  // of this rank's shard
  std::vector<detail::ShardGradient<T>> gradients_;
  std::vector<NamedParameter<T>> shards_;
  Index passes_ = 0;
  bool has_gradients_ = false;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
