#pragma once

#include <attn/core/random.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/train/moving_average.hpp>
#include <attn/train/optimizer.hpp>
#include <bit>
#include <map>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

template <class Part>
constexpr bool is_optimizer = false;
template <class T, class Rule>
constexpr bool is_optimizer<Optimizer<T, Rule>> = true;
template <class Part>
constexpr bool is_moving_average = false;
template <class T>
constexpr bool is_moving_average<MovingAverage<T>> = true;

/// Whether a part has options, which belong in the file.
template <class Part>
constexpr bool has_options = is_optimizer<Part> || is_moving_average<Part>;

}  // namespace detail

/// What may be a part of a Checkpoint beside the model.
template <class Part>
concept CheckpointPart =
    detail::has_options<Part> || std::same_as<Part, Random> || std::same_as<Part, Index>;

namespace detail {

/// What the names of a part's entries in the file begin with, or are.
template <CheckpointPart Part>
constexpr const char* checkpoint_name = is_optimizer<Part>           ? "optimizer"
                                        : is_moving_average<Part>    ? "average"
                                        : std::same_as<Part, Random> ? "random"
                                                                     : "step";

/// The key of a part's options in the file's metadata.
template <CheckpointPart Part>
std::string groups_key() {
  return std::string(checkpoint_name<Part>) + ".groups";
}

}  // namespace detail

/// What a training run consists of, named once, for saving and for loading: the model and, in any
/// order and each at most once, an optimizer, a MovingAverage, a Random, the number of steps done.
/// It holds references.
///
///   attn::Index step = 0;
///   const attn::Checkpoint run{model, adam, random, step};
///   if (std::filesystem::exists("run.safetensors")) attn::load_checkpoint("run.safetensors", run);
///   while (step < 10000) {
///     …
///     adam.step(rate(++step));
///     if (step % 100 == 0) attn::save_checkpoint("run.safetensors", run);
///   }
///
/// A run that is loaded continues bitwise identically to one that was not stopped. The options of
/// the optimizer and the MovingAverage are in the file, and loading compares them; those of the
/// model and the schedule are not, and the program must give the same. Nor are gradients: save
/// between a step and the next backward pass.
template <class Model, CheckpointPart... Parts>
class Checkpoint {
 public:
  using Scalar = typename decltype(std::declval<const Model&>().state_dict())::Scalar;
  Model& model;
  std::tuple<Parts&...> parts;

  explicit Checkpoint(Model& model_of_it, Parts&... parts_of_it)
      : model(model_of_it), parts(parts_of_it...) {
    constexpr auto at_most_one = [](std::string_view name) {
      return (0 + ... + (name == detail::checkpoint_name<Parts>)) <= 1;
    };
    static_assert(at_most_one("optimizer") && at_most_one("average") && at_most_one("random") &&
                      at_most_one("step"),
                  "a checkpoint has one part of each kind");
  }
};

/// What loading does where the options of the optimizer or the MovingAverage are not those that the
/// file was saved with.
enum class ChangedOptions {
  refuse,  ///< throws an OptionError that names every difference
  accept,  ///< the program's options hold from here on
};

namespace detail {

/// The kinds of the model and of every part, as the file's metadata hold them.
template <class Model, class... Parts>
std::map<std::string, std::string> checkpoint_kinds(const Checkpoint<Model, Parts...>&) {
  using Scalar = typename Checkpoint<Model, Parts...>::Scalar;
  std::map<std::string, std::string> kinds{{"model", Model::kind},
                                           {"numbers", to_string(dtype_of<Scalar>)}};
  const auto add = [&]<class Part>(std::type_identity<Part>) {
    if constexpr (has_options<Part>) kinds[checkpoint_name<Part>] = Part::kind;
    else kinds[checkpoint_name<Part>] = std::same_as<Part, Random> ? "Philox4x32-10" : "number";
  };
  (add(std::type_identity<Parts>{}), ...);
  return kinds;
}

/// Adds a part's entries. Numbers of steps are I64, whatever the size of an Index.
template <CheckpointPart Part>
void save_checkpoint_part(SafeTensorsWriter& writer, const Part& part) {
  const std::string name = checkpoint_name<Part>;
  if constexpr (std::same_as<Part, Random>) {
    Tensor<std::int64_t, 1> state({2});
    state(0) = std::bit_cast<std::int64_t>(part.seed);
    state(1) = std::bit_cast<std::int64_t>(part.counter);
    writer.add(name, std::move(state));
  } else if constexpr (std::same_as<Part, Index>) {
    writer.add(name, std::int64_t{part});
  } else {
    part.visit_state([&]<class T>(const std::string& entry, const std::vector<Index>& shape,
                                  std::span<const T> values) {
      if constexpr (std::same_as<T, Index>) writer.add(name + "." + entry, std::int64_t{values[0]});
      else writer.add(name + "." + entry, shape, values);
    });
  }
}

/// Reads a part; the result is a function that sets it and cannot fail.
template <CheckpointPart Part>
auto read_checkpoint_part(const SafeTensors& file, Part& part) {
  const std::string name = checkpoint_name<Part>;
  if constexpr (std::same_as<Part, Random>) {
    const auto state = file.get<std::int64_t, 1>(name);
    if (state.size() != 2)
      throw ShapeError(name + " " + to_string(state.shape()) +
                       " must be seed and counter, of shape (2)");
    const Random random{std::bit_cast<std::uint64_t>(state(0)),
                        std::bit_cast<std::uint64_t>(state(1))};
    return [&part, random]() mutable noexcept { part = random; };
  } else if constexpr (std::same_as<Part, Index>) {
    return [&part, step = read_steps("Checkpoint", file, name)]() mutable noexcept { part = step; };
  } else {
    return [&part, state = part.read_state(file, name + ".")]() mutable noexcept {
      part.set_state(std::move(state));
    };
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
